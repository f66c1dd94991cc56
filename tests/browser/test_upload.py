"""Uploading through the real browser: chosen files, dropped files, folders, refusals, Cancel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.browser import running_app
from tests.browser.conftest import resting_box
from ui.upload.quota import VARIABLE

pytestmark = pytest.mark.browser
TINY_APP = "tests/ui/upload/tiny/app.py"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def origin(temporary: Path) -> Iterator[str]:
    """A server that takes 40 MB a file; when it ends, nothing of what it took is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, "file_mb=40,free_mb=1")
        patch.setenv("TMPDIR", str(temporary))
        with running_app(TINY_APP) as server:
            yield server.origin
    assert not [*temporary.glob("compress-uploads-*")]


@pytest.fixture
def places(page: Page, origin: str) -> Page:
    page.goto(origin)
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
    button = places.get_by_role("button", name="Choose a file", exact=True)
    with places.expect_file_chooser() as chooser:
        button.press("Enter")
    chooser.value.set_files(model)
    expect(places.get_by_text("net.onnx | 4 | 4")).to_be_visible()
    expect(button).to_be_focused()


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


def drop(page: Page, place: str, *paths: Path) -> None:
    """As a person drops them: a page's own script could not make a folder."""
    box = resting_box(page.get_by_role("group", name=place))
    x, y = box["x"] + box["width"] / 2, box["y"] + 5
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})


def test_a_dropped_file_arrives(places: Page, tmp_path: Path) -> None:
    (model := tmp_path / "net.safetensors").write_bytes(b"dropped")
    drop(places, "Your model", model)
    expect(places.get_by_text("net.safetensors | 7 | 7")).to_be_visible()


def test_a_dropped_folder_arrives_with_its_names(places: Page, tmp_path: Path) -> None:
    (tmp_path / "pets" / "cats").mkdir(parents=True)
    for n in range(150):  # a browser lists a hundred at a time
        (tmp_path / "pets" / "cats" / f"{n}.png").write_bytes(b"four")
    drop(places, "Your images", tmp_path / "pets")
    expect(said(places, "150 files have arrived")).to_be_visible()
    expect(places.get_by_text("pets/cats/149.png | 4 | 4")).to_be_visible()


def test_a_file_of_another_kind_is_not_sent(places: Page, tmp_path: Path) -> None:
    (other := tmp_path / "notes.txt").write_bytes(b"text")
    choose(places, other)
    expect(places.get_by_role("alert").filter(has_text="(.onnx, .safetensors)")).to_be_visible()


def test_a_file_over_the_quota_gets_the_servers_sentence(places: Page, tmp_path: Path) -> None:
    (large := tmp_path / "large.onnx").write_bytes(bytes(41_000_000))
    choose(places, large)
    refusal = "The file is larger than 40 MB."
    expect(places.get_by_role("alert").filter(has_text=refusal)).to_be_visible()


def test_a_cancelled_upload_leaves_nothing(places: Page, tmp_path: Path, temporary: Path) -> None:
    before = {*temporary.glob("compress-uploads-*/*/upload.onnx")}
    network = places.context.new_cdp_session(places)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    network.send("Network.emulateNetworkConditions", slow)
    (model := tmp_path / "net.onnx").write_bytes(bytes(20_000_000))
    choose(places, model)
    expect(places.get_by_text("of 20.0 MB")).to_be_visible()
    places.get_by_role("button", name="Cancel").click()
    expect(said(places, "Cancelled.")).to_be_visible()
    places.wait_for_timeout(500)
    assert {*temporary.glob("compress-uploads-*/*/upload.onnx")} == before


def test_below_a_base_path_files_arrive_too(page: Page, tmp_path: Path) -> None:
    (model := tmp_path / "net.onnx").write_bytes(b"onnx")
    with running_app(TINY_APP, below="/below") as server:
        page.goto(server.origin)
        choose(page, model)
        expect(page.get_by_text("net.onnx | 4 | 4")).to_be_visible()
