"""Two states side by side: a snapshot against another, or against the present state."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from compress_core.measurement.report import Size
from compress_core.measurement.scores import Score
from compress_core.recipe import Recipe
from ui import words
from ui.language import _
from ui.session import caches, measuring, snapshots, values
from ui.session.snapshot_store import Snapshot
from ui.session.state import Current

PRESENT = "present"


@dataclass(frozen=True)
class Side:
    """A snapshot with what is derived from its recipe."""

    snapshot: Snapshot
    recipe: Recipe
    size: Size
    score: Score | None


def show(current: Current) -> None:
    """Two pickers and the table; a line on how to get there while nothing is pinned."""
    title = _("Two states side by side")
    st.markdown(f"**{title}**")
    by_id = {snapshot.id: snapshot for snapshot in reversed(snapshots.pinned())}
    if not by_id:
        st.caption(_("Pin a state in the sidebar to compare the present one, or another, with it."))
        return
    by_id[PRESENT] = snapshots.take(current, _("present"))
    left, right = st.columns(2)
    with left:
        before = _choose(_("From"), by_id, "compare_from", next(iter(by_id)))
    with right:
        after = _choose(_("To"), by_id, "compare_to", PRESENT)
    table = compared(side(by_id[before]), side(by_id[after]))
    st.table(table, hide_index=True, border="horizontal", alt=title)


def _choose(label: str, by_id: dict[str, Snapshot], key: str, default: str) -> str:
    choice = values.chosen(key, [default, *by_id])  # it may be removed meanwhile
    values.repair(key, choice)
    st.selectbox(
        label,
        list(by_id),
        key=key,
        format_func=lambda choice: by_id[choice].name,
        persist_state="session",
        help=_("A snapshot, or the present state."),
    )
    return choice


def side(snapshot: Snapshot) -> Side:
    recipe = snapshots.recipe_of(snapshot)
    size = caches.size(snapshot.model, recipe)
    return Side(snapshot, recipe, size, snapshots.score(snapshot))


def compared(before: Side, after: Side) -> dict[str, list[Any]]:
    """Columns: the quantity, both sides, the difference."""
    a, b = before.size, after.size
    lines = [
        (_("model"), *(x.snapshot.model for x in (before, after)), ""),
        (
            metric_of(before, after),
            *(measured(x.score) for x in (before, after)),
            score_change(before, after),
        ),
        (
            _("stored bytes"),
            *(f"{size.stored_bytes:,}" for size in (a, b)),
            words.change(a.stored_bytes, b.stored_bytes),
        ),
        (
            _("ratio"),
            *(words.ratio(size.compression_ratio) for size in (a, b)),
            words.signed(b.compression_ratio - a.compression_ratio, 2),
        ),
        (
            _("sparsity"),
            *(words.percent(size.sparsity) for size in (a, b)),
            words.signed(100 * (b.sparsity - a.sparsity), 1, _(" points")),
        ),
        ("MACs", *(words.count(size.macs) for size in (a, b)), words.change(a.macs, b.macs)),
        (_("recipe"), *(words.describe_recipe(x.recipe) for x in (before, after)), ""),
    ]
    names = [words.escape_markdown(x.snapshot.name) for x in (before, after)]
    titles = (
        "",
        _("From: {name}", name=names[0]),
        _("To: {name}", name=names[1]),
        _("difference"),
    )
    return dict(zip(titles, map(list, zip(*lines, strict=True)), strict=True))


def metric_of(before: Side, after: Side) -> str:
    """What was measured, as the line's name; both where the sides differ."""
    scores = (before.score, after.score)
    names = dict.fromkeys(words.metric(score.metric) for score in scores if score)
    return ", ".join(names) or _("score")


def measured(score: Score | None) -> str:
    images = f" (n = {score.n:,})" if score else ""
    return words.score(score) + images


def score_change(before: Side, after: Side) -> str:
    """The paired change with its interval, where both saw the same images."""
    first, second = before.score, after.score
    if first is None or second is None or first.metric != second.metric:
        return "—"
    metric, model = first.metric, before.snapshot.model
    if model != after.snapshot.model:
        difference = words.score_change(metric, second.value - first.value)
        return _("{change}, unpaired", change=difference)
    n = min(first.n, second.n)
    found = measuring.change(model, before.recipe, after.recipe, n)
    low, high = (
        words.score_change(metric, bound) for bound in (found.difference_low, found.difference_high)
    )
    return f"{words.score_change(metric, found.difference)} ({low} … {high})"
