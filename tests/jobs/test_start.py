"""This machine or a cluster: one function chooses."""

import sys

import pytest

from compress_core.jobs.local import LocalExecutor
from compress_core.jobs.start import start_executor
from compress_core.jobs.store import Store


def test_without_a_scheduler_this_machine_does_the_jobs(store: Store) -> None:
    executor = start_executor(store=store)
    assert isinstance(executor, LocalExecutor)
    executor.close()


def test_a_cluster_without_dask_is_refused_in_words(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"pip install -r requirements-cluster\.txt"):
        start_executor("tcp://127.0.0.1:1", store=store)
