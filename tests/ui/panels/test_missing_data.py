"""A dataset that is not on this machine: its size on the button, its name to the downloader."""

from pathlib import Path
from typing import Any

import pytest

from compress_core import data
from tests.whole_app import PAGES, open_app


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("compress_core.data.finding.user_cache", lambda: tmp_path)
    monkeypatch.setattr(data, "_load", data._load.__wrapped__)  # past what is loaded already


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize(
    ("model", "name", "label"),
    [
        ("mnist-lenet-300-100", "mnist", "Download MNIST (12 MB)"),
        ("cifar-resnet-20", "cifar-10", "Download CIFAR-10 (170 MB)"),
    ],
)
def test_the_button_downloads_the_models_dataset(
    monkeypatch: pytest.MonkeyPatch, model: str, name: str, label: str
) -> None:
    asked: list[str] = []

    def refuse(dataset: str, _progress: Any) -> None:
        asked.append(dataset)
        raise data.DataError("no route to host")

    monkeypatch.setattr("ui.panels.missing_data.download", refuse)
    app = open_app(model=model)
    assert app.button(key="download_data").label == label
    app.button(key="download_data").click().run()
    assert asked == [name]
    assert app.error[0].value == "no route to host"


@pytest.mark.usefixtures("no_data")
@pytest.mark.parametrize("page", PAGES)
def test_every_page_offers_the_download(page: str) -> None:
    app = open_app(page, model="mnist-lenet-5", recipe="prune:sparsity=0.9")
    assert not app.exception
    assert app.button(key="download_images").label == "Download MNIST (12 MB)"
