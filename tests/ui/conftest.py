"""Pages have an executor, as the server has: here it does each job when it is submitted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.bench import AtOnce, Bench
from tests.ui.clock import Clock
from ui import in_view
from ui.session import anytime, executor, measuring


@pytest.fixture(scope="session")
def jobs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one test has measured no other measures again."""
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(autouse=True)
def all_images_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages wait until all test images are measured, as if the server took no time for it."""
    monkeypatch.setattr(measuring, "SLICE", 10**6)
    monkeypatch.setattr(measuring, "WAIT_S", 60.0)


@pytest.fixture
def first_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages show what the first images say, for tests that ask for no number: all images of a
    network of this size take a busy machine a minute."""
    monkeypatch.setattr(measuring, "SLICE", anytime.SLICE)


@pytest.fixture(autouse=True)
def tall_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is in view, as in a window that is higher than every page."""
    monkeypatch.setattr(in_view, "is_seen", lambda _key: True)


@pytest.fixture(autouse=True)
def at_once(jobs_folder: Path) -> Iterator[AtOnce]:
    made = AtOnce(jobs_folder)
    executor.use(made)
    yield made
    executor.close()
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An executor that does nothing by itself, and has done nothing yet."""
    made = Bench(tmp_path)
    executor.use(made)
    yield made
    made.close()
