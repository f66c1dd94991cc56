"""A machine without any dataset."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from compress_core import data
from compress_core.data import finding


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine without any dataset; returns its COMPRESS_DATA_DIR."""
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(finding, "user_cache", lambda: tmp_path / "cache")
    data._load.cache_clear()
    yield tmp_path / "data"
    data._load.cache_clear()
