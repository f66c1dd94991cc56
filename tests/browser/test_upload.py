"""Uploading through the real browser: chosen files, dropped files, folders, refusals, Cancel."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from playwright.sync_api import Locator, Page, Route, expect
from starlette.types import ASGIApp

from ui.live_histogram import routes as live_routes
from ui.upload import routes as upload_routes
from ui.upload.quota import Quota
from ui.upload.store import UploadStore

pytestmark = pytest.mark.browser
TINY_APP = Path(__file__).parents[1] / "ui" / "upload" / "tiny_app.py"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadStore]:
    made = UploadStore(Quota(file_mb=40, session_mb=60, free_mb=1))
    monkeypatch.setattr(upload_routes, "_STORE", made)
    yield made
    made.close()


@pytest.fixture
def places(page: Page, serve: Callable[[ASGIApp], str], store: UploadStore) -> Page:
    routes = [*live_routes.ROUTES, *upload_routes.ROUTES]
    page.goto(serve(st.App(TINY_APP, routes=routes)))
    expect(page.get_by_role("button", name="Choose a file", exact=True)).to_be_visible()
    return page


def choose(page: Page, files: Path | list[Path], button: str = "Choose a file") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button, exact=True).click()
    chooser.value.set_files(files)


def said(page: Page, text: str) -> Locator:
    return page.get_by_role("status").filter(has_text=text)


def test_a_chosen_file_arrives_whole(
    places: Page, tmp_path: Path, console_errors: list[str]
) -> None:
    model = tmp_path / "my <b>net.onnx"
    model.write_bytes(bytes(30_000_000))
    choose(places, model)
    expect(said(places, "my <b>net.onnx has arrived: 30.0 MB.")).to_be_visible()
    expect(places.get_by_text("my <b>net.onnx | 30000000 | 30000000")).to_be_visible()
    assert console_errors == []


def test_the_keyboard_alone_chooses_a_file(places: Page, tmp_path: Path) -> None:
    (model := tmp_path / "net.onnx").write_bytes(b"onnx")
    places.get_by_role("button", name="Choose a file", exact=True).focus()
    with places.expect_file_chooser() as chooser:
        places.keyboard.press("Enter")
    chooser.value.set_files(model)
    expect(places.get_by_text("net.onnx | 4 | 4")).to_be_visible()
    expect(places.get_by_role("button", name="Choose a file", exact=True)).to_be_focused()


def test_a_folder_arrives_with_its_names_and_other_kinds_are_passed_over(
    places: Page, tmp_path: Path
) -> None:
    for name in ("pets/cats/1.png", "pets/dogs/1.png", "pets/notes.txt"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"four")
    choose(places, tmp_path / "pets", "Choose a folder")
    expect(said(places, "2 files have arrived")).to_contain_text("passed over: 1.")
    expect(places.get_by_text("pets/cats/1.png | 4 | 4")).to_be_visible()
    expect(places.get_by_text("pets/dogs/1.png | 4 | 4")).to_be_visible()


def test_a_dropped_file_arrives(places: Page) -> None:
    transfer = places.evaluate_handle(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["dropped"], "net.safetensors"));
          return transfer;
        }"""
    )
    places.get_by_role("group", name="Your model").dispatch_event(
        "drop", {"dataTransfer": transfer}
    )
    expect(places.get_by_text("net.safetensors | 7 | 7")).to_be_visible()


def test_a_file_of_another_kind_is_not_sent(places: Page, tmp_path: Path) -> None:
    (other := tmp_path / "notes.txt").write_bytes(b"text")
    choose(places, other)
    expect(places.get_by_role("alert").filter(has_text="(.onnx, .safetensors)")).to_be_visible()


def test_a_file_over_the_quota_gets_the_servers_sentence(places: Page, tmp_path: Path) -> None:
    (large := tmp_path / "large.onnx").write_bytes(bytes(41_000_000))
    choose(places, large)
    refusal = "The file is larger than 40 MB."
    expect(places.get_by_role("alert").filter(has_text=refusal)).to_be_visible()


def test_a_cancelled_upload_leaves_nothing(
    places: Page, tmp_path: Path, store: UploadStore
) -> None:
    def never(_route: Route) -> None:
        """The request neither arrives nor fails."""

    places.route("**/upload/*", lambda r: never(r) if r.request.method == "POST" else r.continue_())
    (model := tmp_path / "net.onnx").write_bytes(bytes(1_000_000))
    choose(places, model)
    places.get_by_role("button", name="Cancel").click()
    expect(said(places, "Cancelled.")).to_be_visible()
    assert not store._held
