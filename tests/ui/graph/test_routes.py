"""The graph viewer's routes: who may see which graph, for how long, and with what policy."""

import re
from functools import partial

import pytest

from tests.asgi import ask
from tests.ui.clock import Clock
from ui.graph import routes as graph_routes
from ui.graph.netron import STATIC_FILES, pinned_text
from ui.graph.routes import BASE, ROUTES, publish
from ui.graph.store import GraphStore, PublishedGraph

get = partial(ask, ROUTES)


def model_address(viewer_address: str) -> str:
    """Where the viewer page at this address fetches its graph."""
    return viewer_address.removesuffix(".html") + ".onnx"


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> GraphStore:
    """A small store of the test's own: 60 s, three graphs, ten bytes."""
    store = GraphStore(lifetime_s=60, max_entries=3, max_bytes=10, clock=clock)
    monkeypatch.setattr(graph_routes, "_STORE", store)
    return store


def test_a_published_graph_is_served_byte_for_byte() -> None:
    answer = get(model_address(publish(b"\x08\x07onnx", "lenet")))
    assert (answer.status, answer.body) == (200, b"\x08\x07onnx")


def test_every_publication_has_an_address_of_its_own() -> None:
    assert publish(b"same", "same") != publish(b"same", "same")


def test_an_address_carries_192_random_bits() -> None:
    token = publish(b"graph", "lenet").removeprefix(f"{BASE}/").removesuffix(".html")
    assert re.fullmatch(r"[\w-]{32}", token, re.ASCII)


def test_the_same_graph_keeps_the_address_of_the_previous_run() -> None:
    address = publish(b"graph", "lenet")
    assert publish(b"graph", "lenet", previous=address) == address


@pytest.mark.parametrize(("model", "name"), [(b"other", "lenet"), (b"graph", "resnet")])
def test_another_graph_takes_the_place_of_the_previous_one(model: bytes, name: str) -> None:
    first = publish(b"graph", "lenet")
    second = publish(model, name, previous=first)
    assert get(model_address(first)).status == 404
    assert get(model_address(second)).body == model


def test_an_expired_previous_address_is_replaced(clock: Clock) -> None:
    expired = publish(b"graph", "lenet")
    clock.now_s = 61
    address = publish(b"graph", "lenet", previous=expired)
    assert address != expired
    assert get(address).status == 200


def test_a_graph_lives_until_its_last_use_is_too_long_ago(clock: Clock) -> None:
    address = publish(b"graph", "lenet")
    clock.now_s = 60
    assert get(address).status == 200
    clock.now_s = 120
    assert get(address).status == 200
    clock.now_s = 181
    assert get(address).status == 404


def test_too_many_graphs_push_out_the_least_recently_used(store: GraphStore) -> None:
    first, second, third = (store.put(PublishedGraph(b"g", name)) for name in "abc")
    store.get(first)
    store.put(PublishedGraph(b"g", "d"))
    assert [store.get(token) is not None for token in (first, second, third)] == [True, False, True]


def test_too_many_bytes_push_out_the_least_recently_used(store: GraphStore) -> None:
    first, second = (store.put(PublishedGraph(b"12345", name)) for name in "ab")
    third = store.put(PublishedGraph(b"6", "c"))
    assert [store.get(token) is not None for token in (first, second, third)] == [False, True, True]


def test_forgotten_bytes_are_free_again(store: GraphStore) -> None:
    store.forget(store.put(PublishedGraph(b"1234567890", "a")))
    kept = store.put(PublishedGraph(b"12345", "b"))
    store.put(PublishedGraph(b"67890", "c"))
    assert store.get(kept) is not None


def test_a_graph_larger_than_the_store_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"11 bytes .* at most 10: strip its large tensors"):
        publish(b"12345678901", "huge")


@pytest.mark.parametrize("end", ["html", "onnx"])
def test_an_unknown_token_gets_a_page_that_says_what_to_do(end: str) -> None:
    answer = get(f"{BASE}/{'x' * 32}.{end}")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert b"Reload the page" in answer.body


def test_every_static_file_is_served_with_its_own_type() -> None:
    types = {name: get(f"{BASE}/{name}").headers["content-type"] for name in STATIC_FILES}
    assert types["view.js"] == "text/javascript; charset=utf-8"
    assert types["grapher.css"] == "text/css; charset=utf-8"
    assert types["onnx-metadata.json"] == "application/json"


@pytest.mark.parametrize(
    "name",
    [
        "server.py",
        "__init__.py",
        "tf.js",
        "index.html",
        "../netron/view.js",
        "..%2fnetron%2fview.js",
        "../../../../etc/passwd",
        "/etc/passwd",
        "view.js/",
        "",
    ],
)
def test_only_listed_names_are_served(name: str) -> None:
    assert get(f"{BASE}/{name}").status == 404


def test_static_files_are_kept_by_browsers_and_graphs_are_not() -> None:
    address = publish(b"graph", "lenet")
    assert "immutable" in get(f"{BASE}/view.js").headers["cache-control"]
    assert get(address).headers["cache-control"] == "no-store"
    assert get(model_address(address)).headers["cache-control"] == "no-store"


def test_a_time_stamp_on_a_static_file_leads_to_the_address_browsers_keep() -> None:
    answer = get(f"{BASE}/onnx-metadata.json?cb=1")
    assert (answer.status, answer.headers["location"]) == (307, "onnx-metadata.json")


@pytest.mark.parametrize("path", ["viewer", "model", "missing", f"{BASE}/worker.js"])
def test_every_answer_carries_the_policy(path: str) -> None:
    viewer = publish(b"graph", "lenet")
    address = {"viewer": viewer, "model": model_address(viewer), "missing": f"{BASE}/no"}.get(path)
    headers = get(address or path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["frame-ancestors"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_name_is_escaped_in_the_page() -> None:
    page = get(publish(b"graph", '"><script>alert(1)</script>')).body.decode()
    assert "<script>alert" not in page
    assert 'content="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;.onnx"' in page


def test_a_name_that_ends_in_onnx_is_shown_as_it_is() -> None:
    assert b'name="identifier" content="lenet.onnx"' in get(publish(b"graph", "lenet.onnx")).body


def test_our_facts_stand_before_netrons_own() -> None:
    page = get(publish(b"graph", "lenet")).body.decode()
    assert re.findall(r'<meta name="version" content="(.*?)"', page)[0] == "0.0.0"
    assert len(re.findall(r'<meta name="date"', page)) == 2
    assert page.index('<meta name="date"') < page.index('<meta charset="utf-8">')


def test_consent_is_given_for_the_viewers_folder_alone() -> None:
    cookie = get(publish(b"graph", "lenet")).headers["set-cookie"]
    assert cookie.startswith("consent=1")
    assert "path" not in cookie.lower()


@pytest.mark.parametrize(("theme", "condition"), [("dark", "all"), ("light", "not all")])
def test_a_theme_pins_the_dark_rules(theme: str, condition: str) -> None:
    page = get(f"{publish(b'graph', 'lenet')}?theme={theme}").body.decode()
    style = get(f"{BASE}/{theme}/grapher.css").body.decode()
    assert f'href="{theme}/grapher.css"' in page
    for text in (page, style):
        assert f"@media {condition} {{" in text
        assert "prefers-color-scheme" not in text


def test_unknown_themes_take_no_memory() -> None:
    address = publish(b"graph", "lenet")
    get(address)
    before = pinned_text.cache_info().currsize
    get(f"{address}?theme=plaid")
    assert pinned_text.cache_info().currsize == before


def test_an_unknown_theme_leaves_the_choice_to_the_system() -> None:
    page = get(f"{publish(b'graph', 'lenet')}?theme=../../x").body.decode()
    assert "(prefers-color-scheme: dark)" in page
    assert 'href="grapher.css"' in page
    assert get(f"{BASE}/plaid/grapher.css").status == 404
