"""The live component's routes: a profile on the wire, and what is served."""

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.asgi import ask
from ui.live_histogram import routes
from ui.live_histogram.routes import FOLDER, MAX_BYTES, PREFIX, ROUTES, ProfileStore, pack, publish

get = partial(ask, ROUTES)


@dataclass(frozen=True, eq=False)
class Curve:
    """As a profile of compress_core: text, whole number, fraction and two arrays."""

    name: str
    weights: int
    limit: float
    xs: NDArray[np.float32]
    ys: NDArray[np.float32]


def curve(name: str, xs: list[float], ys: list[float]) -> Curve:
    return Curve(name, len(xs), 0.5, np.array(xs, np.float32), np.array(ys, np.float32))


def parse(blob: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The header's layers and the bytes of the arrays, by the format's own words."""
    (length,) = struct.unpack_from("<I", blob)
    return json.loads(blob[4 : 4 + length])["layers"], blob[4 + length :]


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> ProfileStore:
    """A small store of the test's own: ten bytes."""
    store = ProfileStore(max_bytes=10)
    monkeypatch.setattr(routes, "_STORE", store)
    return store


def test_no_layers_are_sixteen_bytes_exactly() -> None:
    # {"layers":[]} has 13 characters, and three spaces pad it to 16
    assert pack([]) == b"\x10\0\0\0" + b'{"layers":[]}   '


def test_numbers_and_texts_stand_in_the_header() -> None:
    (layer,), _ = parse(pack([curve("fc1", [1, 2, 3], [])]))
    assert (layer["name"], layer["weights"], layer["limit"]) == ("fc1", 3, 0.5)


def test_arrays_follow_one_another_as_float32() -> None:
    (layer,), arrays = parse(pack([curve("fc", [1, -0.5], [0.25])]))
    assert layer["xs"] == {"offset": 0, "length": 2}
    assert layer["ys"] == {"offset": 8, "length": 1}
    assert arrays == struct.pack("<3f", 1, -0.5, 0.25)


def test_the_arrays_of_the_next_layer_begin_where_the_last_ended() -> None:
    layers, arrays = parse(pack([curve("a", [1], [2, 3]), curve("b", [4], [5])]))
    places = [layer[key] for layer in layers for key in ("xs", "ys")]
    assert [place["offset"] for place in places] == [0, 4, 12, 16]
    assert struct.unpack("<5f", arrays) == (1, 2, 3, 4, 5)


@pytest.mark.parametrize("name", ["", "f", "fc", "fc1", "conv", "größe", "层"])
def test_arrays_begin_at_a_multiple_of_four_whatever_the_header(name: str) -> None:
    """A Float32Array refuses any other place."""
    blob = pack([curve(name, [7], [])])
    (layer,), arrays = parse(blob)
    assert layer["name"] == name
    assert (len(blob) - len(arrays)) % 4 == 0
    assert arrays == struct.pack("<f", 7)


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, 2], np.float64),
        np.array([1, 2], np.int64),
        np.array([1, 2], ">f4"),
        np.array([1, 9, 2, 9], np.float32)[::2],
    ],
    ids=["float64", "int64", "big endian", "strided"],
)
def test_any_array_becomes_little_endian_float32(values: NDArray[Any]) -> None:
    (layer,), arrays = parse(pack([Curve("fc", 2, 1.0, values, np.zeros(0, np.float32))]))
    assert layer["xs"]["length"] == 2
    assert arrays == b"\0\0\x80\x3f\0\0\0\x40"


def test_an_empty_array_has_a_place_but_no_bytes() -> None:
    (layer,), arrays = parse(pack([curve("fc", [], [])]))
    assert layer["xs"] == layer["ys"] == {"offset": 0, "length": 0}
    assert arrays == b""


def test_equal_profiles_pack_to_equal_bytes() -> None:
    assert pack([curve("fc", [1], [2])]) == pack([curve("fc", [1], [2])])


def test_an_address_is_the_digest_of_the_content() -> None:
    digest = hashlib.sha256(b"profile").hexdigest()[:32]
    assert publish(b"profile") == f"live-histogram/profiles/{digest}"


def test_equal_content_has_one_address_and_other_content_another() -> None:
    assert publish(b"same") == publish(b"same")
    assert publish(b"same") != publish(b"other")


def test_a_published_profile_is_served_byte_for_byte() -> None:
    answer = get(publish(b"\x00\xffblob"))
    assert (answer.status, answer.body) == (200, b"\x00\xffblob")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_browser_keeps_a_profile_for_a_year_without_asking_again() -> None:
    cached = get(publish(b"profile")).headers["cache-control"]
    assert {"public", "immutable", f"max-age={365 * 24 * 3600}"} == set(cached.split(", "))


@pytest.mark.parametrize("digest", ["0" * 32, "x", "main.js", "..", "%2e%2e"])
def test_an_unknown_digest_is_not_found_and_says_what_to_do(digest: str) -> None:
    publish(b"profile")
    answer = get(f"{PREFIX}/profiles/{digest}")
    assert answer.status == 404
    assert b"reload the page" in answer.body


def test_that_a_profile_is_missing_is_not_kept() -> None:
    assert "cache-control" not in get(f"{PREFIX}/profiles/{'0' * 32}").headers


def test_a_profile_is_back_at_its_address_when_published_again() -> None:
    address = publish(b"0123456789")
    publish(b"another")
    assert get(address).status == 404
    assert publish(b"0123456789") == address
    assert get(address).status == 200


def test_too_many_bytes_push_out_the_least_recently_published(store: ProfileStore) -> None:
    first, second = store.put(b"12345"), store.put(b"67890")
    third = store.put(b"!")
    assert [store.get(digest) is not None for digest in (first, second, third)] == [
        False,
        True,
        True,
    ]


def test_as_many_bytes_as_the_store_may_hold_all_stay(store: ProfileStore) -> None:
    digests = [store.put(bytes([n]) * 2) for n in range(5)]  # ten bytes
    assert all(store.get(digest) for digest in digests)


def test_publishing_again_makes_a_profile_the_freshest(store: ProfileStore) -> None:
    first, second = store.put(b"12345"), store.put(b"67890")
    store.put(b"12345")
    store.put(b"!")
    assert (store.get(first), store.get(second)) == (b"12345", None)


def test_publishing_again_takes_no_further_room(store: ProfileStore) -> None:
    kept = store.put(b"1234567890"[:4])
    for _ in range(5):
        store.put(b"67890")
    assert store.get(kept) == b"1234"


def test_a_profile_larger_than_the_store_is_served_until_the_next_one(store: ProfileStore) -> None:
    """Refused, the page that published it could not draw."""
    small, large = store.put(b"small"), store.put(b"larger than ten bytes")
    assert (store.get(small), store.get(large)) == (None, b"larger than ten bytes")
    store.put(b"next")
    assert store.get(large) is None


def test_the_apps_own_store_holds_64_mebibytes() -> None:
    assert MAX_BYTES == 67_108_864
    assert ProfileStore()._max_bytes == MAX_BYTES


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_every_script_is_served_as_javascript(path: Path) -> None:
    answer = get(f"{PREFIX}/{path.name}")
    assert (answer.status, answer.body) == (200, path.read_bytes())
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"


def test_every_script_that_another_imports_is_served() -> None:
    sources = [get(f"{PREFIX}/{path.name}").body.decode() for path in FOLDER.glob("*.js")]
    imported = {name for text in sources for name in re.findall(r'from "\./([^"]+)"', text)}
    assert "controls.js" in imported
    assert {get(f"{PREFIX}/{name}").status for name in imported} == {200}


def test_a_script_is_asked_for_again_and_has_a_tag_to_compare() -> None:
    """After an update of the app nobody must run the old one."""
    headers = get(f"{PREFIX}/main.js").headers
    assert headers["cache-control"] == "no-cache"
    assert headers["etag"]


def test_a_script_that_did_not_change_is_not_sent_again() -> None:
    tag = get(f"{PREFIX}/main.js").headers["etag"]
    answer = get(f"{PREFIX}/main.js", if_none_match=tag)
    assert (answer.status, answer.body) == (304, b"")


@pytest.mark.parametrize("name", ["main.js/", "profiles/"])
def test_a_slash_at_the_end_leads_to_the_address_without_it(name: str) -> None:
    answer = get(f"{PREFIX}/{name}", host="app.test")
    assert answer.status == 307
    assert answer.headers["location"] == f"http://app.test/{PREFIX}/{name[:-1]}"


@pytest.mark.parametrize(
    "name",
    [
        "__init__.py",
        "routes.py",
        "style.css",
        "__pycache__",
        "missing.js",
        "MAIN.JS",
        "main.js.map",
        "../wake_up/main.js",
        "../live_histogram/main.js",
        "..%2flive_histogram%2fmain.js",
        "..\\live_histogram\\main.js",
        "../../../../etc/passwd",
        "/etc/passwd",
        "profiles",
        ".",
        "..",
        "",
    ],
)
def test_only_scripts_are_served(name: str) -> None:
    assert get(f"{PREFIX}/{name}").status == 404
