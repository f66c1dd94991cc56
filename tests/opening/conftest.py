"""A small ONNX file, opened in a sandbox once for all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress_core.opening import store
from compress_core.opening.facts import SOURCE
from compress_core.opening.rooms import close_rooms
from compress_core.sandbox import run
from tests.opening.files import small_network


@pytest.fixture(scope="session")
def opened_name(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an opened network: 16 inputs, 12 hidden, 4 classes."""
    before = os.environ.get(store.FOLDER_VARIABLE)
    os.environ[store.FOLDER_VARIABLE] = str(tmp_path_factory.mktemp("opened"))
    yield open_file(small_network(), "Small Net.onnx")
    close_rooms()
    if before is None:
        del os.environ[store.FOLDER_VARIABLE]
    else:
        os.environ[store.FOLDER_VARIABLE] = before


def open_file(raw: bytes, title: str, **asked: object) -> str:
    """Open a file as the page does."""
    name, folder = store.new_folder(title)
    (folder / SOURCE).write_bytes(raw)
    run("open_network", {"title": title, **asked}, folder)
    return name


@pytest.fixture
def opened_folder(opened_name: str) -> Path:
    found = store.find_folder(opened_name)
    assert found is not None
    return found
