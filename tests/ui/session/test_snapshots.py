"""Snapshots: the store by itself, and pinning, renaming, applying, comparing by AppTest."""

import threading
from dataclasses import replace

import pytest

from compress_core import Prune, compress, load_model
from compress_core.compressed import Compressed
from compress_core.measurement.scores import Score
from compress_core.recipe import parse_recipe
from compress_core.views.summaries import kept_histogram
from tests.ui.test_pages import assert_strip_shows, measured, open_app, turn_to
from tests.whole_app import WholeApp
from ui import figures, words
from ui.palette import LIGHT
from ui.session import measuring, snapshot_store, snapshots
from ui.session.snapshot_store import MAX_AGE_S, MAX_NAME, MAX_SNAPSHOTS, Snapshot, SnapshotStore
from ui.session.snapshots import thumbnail

SNAPSHOT = Snapshot(
    name="first",
    model="digits-cnn",
    recipe="prune:sparsity=0.5",
    stored_bytes=40_000,
    histogram=(0, 4, 9, 1),
)


def names(store: SnapshotStore, token: str) -> list[str] | None:
    held = store.snapshots(token)
    return None if held is None else [snapshot.name for snapshot in held]


def test_each_token_opens_its_own_snapshots() -> None:
    store = SnapshotStore()
    mine, theirs = store.pin("", SNAPSHOT), store.pin("", replace(SNAPSHOT, name="other"))
    assert mine != theirs
    assert len(mine) >= 20
    assert (names(store, mine), names(store, theirs)) == (["first"], ["other"])


@pytest.mark.parametrize("token", ["", "guess", "a" * 22])
def test_a_token_that_the_store_did_not_make_opens_nothing(token: str) -> None:
    store = SnapshotStore()
    store.pin("", SNAPSHOT)
    assert names(store, token) is None
    assert store.pin(token, SNAPSHOT) != token


def test_another_sessions_snapshot_is_neither_renamed_nor_removed() -> None:
    store = SnapshotStore()
    mine, theirs = store.pin("", SNAPSHOT), store.pin("", replace(SNAPSHOT, id="theirs"))
    store.rename(mine, "theirs", "stolen")
    store.remove(mine, "theirs")
    assert names(store, theirs) == ["first"]


def test_a_session_is_told_when_its_place_is_full() -> None:
    store = SnapshotStore()
    token = ""
    for _ in range(MAX_SNAPSHOTS):
        token = store.pin(token, SNAPSHOT)
    with pytest.raises(ValueError, match="remove one first"):
        store.pin(token, SNAPSHOT)


def test_a_recipe_without_end_is_refused() -> None:
    endless = replace(SNAPSHOT, recipe="quantize:bits=4;" * 5000)
    with pytest.raises(ValueError, match="too long"):
        SnapshotStore().pin("", endless)


def test_the_session_that_was_idle_longest_goes_first() -> None:
    store = SnapshotStore(max_sessions=2)
    idle, busy = store.pin("", SNAPSHOT), store.pin("", SNAPSHOT)
    store.snapshots(idle)
    new = store.pin("", SNAPSHOT)
    assert [names(store, token) is None for token in (idle, busy, new)] == [False, True, False]


def test_snapshots_that_nobody_looked_at_for_long_are_gone() -> None:
    now = 0.0
    store = SnapshotStore(clock=lambda: now)
    token = store.pin("", SNAPSHOT)
    now += MAX_AGE_S - 1
    assert names(store, token) == ["first"]
    now += MAX_AGE_S + 1
    assert names(store, token) is None


def test_many_threads_lose_no_snapshot() -> None:
    store = SnapshotStore()
    token = store.pin("", SNAPSHOT)
    store.remove(token, SNAPSHOT.id)

    def pin_some() -> None:
        for _ in range(4):
            store.pin(token, SNAPSHOT)

    threads = [threading.Thread(target=pin_some) for _ in range(MAX_SNAPSHOTS // 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(store, token) == ["first"] * MAX_SNAPSHOTS


def test_a_name_is_one_line_of_bounded_length_and_never_empty() -> None:
    store = SnapshotStore()
    token = store.pin("", SNAPSHOT)
    store.rename(token, SNAPSHOT.id, " a \n b " + "c" * 100)
    (name,) = names(store, token) or []
    assert name.startswith("a b ccc")
    assert len(name) == MAX_NAME
    store.rename(token, SNAPSHOT.id, "  ")
    assert names(store, token) == [name]


def test_the_thumbnail_has_a_bar_for_each_filled_bin() -> None:
    assert thumbnail(SNAPSHOT.histogram, "#123456").count("<rect") == 3
    assert "<rect" not in thumbnail((0, 0), "#123456")


def half_pruned() -> Compressed:
    return compress(load_model("digits-cnn"), (Prune(sparsity=0.5),))


def test_the_thumbnail_counts_the_kept_weights() -> None:
    stored = half_pruned().layers["fc1"]
    kept = int(stored.weights[0].values.count_nonzero())
    assert kept_histogram(stored, 36).shape == (36,)
    assert kept_histogram(stored, 36).sum() == kept


def test_words_of_a_person_are_no_markdown() -> None:
    assert words.escape_markdown("**a** $b$ [c](d)") == r"\*\*a\*\* \$b\$ \[c\]\(d\)"


def test_the_plane_writes_a_snapshots_name_beside_its_point() -> None:
    score = Score("accuracy", 0.97, 0.95, 0.98, 600)
    row = {**score.as_dict(), "id": SNAPSHOT.recipe, "words": "prune", "name": "<b>x</b>"}
    figure = figures.trade_off_plane({}, {}, LIGHT, [row | {"stored_bytes": 40_000}])
    (trace,) = figure.data
    assert trace.name == "snapshot"
    assert trace.text == ("&lt;b&gt;x&lt;/b&gt;",)
    assert trace.customdata[0][0] == SNAPSHOT.recipe
    assert "customdata[3]" in trace.hovertemplate


def pinned(app: WholeApp) -> list[str]:
    return [field.value for field in app.text_input if field.key.startswith("snapshot_name")]


def only(app: WholeApp, kind: str, verb: str) -> str:
    """The key of the one snapshot's name field or button."""
    (key,) = (w.key for w in getattr(app, kind) if (w.key or "").startswith(f"snapshot_{verb}_"))
    return str(key)


def pin(app: WholeApp) -> WholeApp:
    app.button(key="pin").click().run()
    assert not app.exception
    return app


def test_a_pinned_state_is_named_by_its_recipe_and_shows_what_the_strip_shows() -> None:
    app = pin(open_app(recipe="prune:sparsity=0.8"))
    report = measured((Prune(sparsity=0.8),))
    size = words.byte_size(report.size.stored_bytes)
    assert pinned(app) == ["prune 80.0 % globally"]
    fact = f"{words.score(report.score)} · {size} · digits-cnn"
    assert fact in [caption.value for caption in app.caption]


def test_a_snapshot_shows_the_number_of_the_images_that_are_measured_when_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = "prune:sparsity=0.8"
    monkeypatch.setattr(measuring, "pinned_size", lambda _model, _recipe: 250)
    app = pin(open_app(recipe=recipe))

    def shows(n: int) -> bool:
        score, _ = measuring.score("digits-cnn", parse_recipe(recipe), n)
        return any(words.score(score) in caption.value for caption in app.sidebar.caption)

    assert shows(250)
    monkeypatch.undo()
    app.run()
    assert shows(600)


def test_a_snapshot_is_renamed_applied_and_removed() -> None:
    app = pin(open_app(recipe="prune:sparsity=0.8"))
    app.text_input(key=only(app, "text_input", "name")).set_value("my best").run()
    app.selectbox(key="model").set_value("digits-mlp").run()
    app.button(key="start_over").click().run()
    assert pinned(app) == ["my best"]
    app.button(key=only(app, "button", "apply")).click().run()
    assert app.session_state["recipe"] == "prune:sparsity=0.8"
    assert_strip_shows(app, measured((Prune(sparsity=0.8),)))
    app.button(key=only(app, "button", "remove")).click().run()
    assert pinned(app) == []


def test_the_cookie_of_a_browser_restores_its_snapshots_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = pin(open_app(recipe="prune:sparsity=0.8"))
    token = app.session_state["snapshots_token"]
    assert token not in str(app.query_params)
    monkeypatch.setattr(snapshots, "key_of_browser", lambda: token)
    assert pinned(open_app()) == ["prune 80.0 % globally"]
    monkeypatch.setattr(snapshots, "key_of_browser", lambda: "")
    assert pinned(open_app()) == []


def test_a_browser_with_a_lost_token_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "key_of_browser", lambda: "x" * 22)
    app = open_app(recipe="prune:sparsity=0.8")
    assert "no longer on the server" in app.warning[0].value
    assert pinned(pin(app)) == ["prune 80.0 % globally"]


def test_one_snapshot_too_many_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_store, "MAX_SNAPSHOTS", 1)
    app = pin(pin(open_app()))
    assert pinned(app) == ["original"]
    assert "remove one first" in app.toast[0].value


def test_two_states_are_compared_side_by_side() -> None:
    app = turn_to(pin(open_app(recipe="prune:sparsity=0.5")), "combine")
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.8").run()
    table = app.table[0].value
    before, after = measured((Prune(sparsity=0.5),)), measured((Prune(sparsity=0.8),))
    shown = {row.iloc[0]: tuple(row.iloc[1:]) for _, row in table.iterrows()}
    assert shown["stored bytes"][:2] == tuple(
        f"{report.size.stored_bytes:,}" for report in (before, after)
    )
    change = 100 * (after.accuracy.accuracy - before.accuracy.accuracy)
    assert shown["accuracy"][2].startswith(f"{change:+.2f} points (")
    assert shown["MACs"][2] == "same"


def test_states_of_two_models_are_compared_unpaired() -> None:
    app = turn_to(pin(open_app()), "combine")
    app.selectbox(key="model").set_value("digits-mlp").run()
    row = app.table[0].value.iloc[1]
    assert row.iloc[3].endswith("points, unpaired")


def test_the_snapshots_of_the_present_model_are_on_the_plane() -> None:
    app = turn_to(pin(open_app(recipe="prune:sparsity=0.33")), "trade_offs")
    app.button(key="start_over").click().run()
    assert not app.exception
    (chart,) = app.get("plotly_chart")
    assert '"name":"snapshot"' in chart.proto.spec


def test_presenter_mode_comes_from_the_address_and_is_left_by_its_toggle() -> None:
    app = open_app(present="1")
    assert app.toggle(key="present").value
    assert not [twin for twin in app.expander if twin.label == "As a table"]
    app.toggle(key="present").set_value(False).run()
    assert "present" not in app.query_params
    assert [twin for twin in app.expander if twin.label == "As a table"]
