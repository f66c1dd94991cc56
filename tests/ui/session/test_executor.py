"""The server's executor: started by the lifespan alone, and told in words where there is none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from compress_core.jobs.store import Store
from tests.ui.bench import Bench
from ui.session import executor


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    executor.close()
    yield
    executor.close()


def test_without_a_lifespan_there_is_none_and_nothing_starts_one() -> None:
    assert executor.present() is None
    assert "app.py" in executor.problem()


def test_the_lifespans_executor_is_that_of_all_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPRESS_JOBS_DIR", str(tmp_path))
    executor.announce()
    executor.start()
    found = executor.present()
    assert found is not None
    assert isinstance(found.store, Store)
    assert found.store.root == tmp_path


def test_a_cluster_that_does_not_answer_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_scheduler: str) -> None:
        raise OSError("no scheduler at tcp://nowhere:1")

    monkeypatch.setattr("compress_core.jobs.start.start_executor", refuse)
    executor.announce()
    executor.start()
    assert executor.present() is None
    assert executor.problem() == "no scheduler at tcp://nowhere:1"


def test_after_its_end_there_is_none(tmp_path: Path) -> None:
    executor.use(Bench(tmp_path))
    executor.close()
    assert executor.present() is None
