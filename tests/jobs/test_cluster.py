"""The same jobs on a cluster of two Dask workers, of which one is killed on the way."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from compress_core.events import Progress
from compress_core.jobs.cluster import DaskExecutor
from compress_core.jobs.store import Store
from tests.jobs.conftest import finished, sweep_of, wait_for_progress

distributed = pytest.importorskip(
    "distributed", reason="a cluster needs distributed: pip install -r requirements-cluster.txt"
)
# its own threads and sockets, closed after the test has ended
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        protocol="tcp://",
        dashboard_address=None,
        silence_logs=50,
    ) as started:
        yield started


def working_pid(cluster: Any) -> int:
    """The process of the Dask worker that looks after the only job."""
    with distributed.Client(cluster, set_as_default=False) as client:
        busy = [address for address, tasks in client.processing().items() if tasks]
        pids: dict[str, int] = client.run(os.getpid)
    assert len(pids) == 2
    return pids[busy[0]]


def test_a_job_goes_on_when_the_dask_worker_is_killed(cluster: Any, store: Store) -> None:
    assert cluster.scheduler_address.startswith("tcp://")
    executor = DaskExecutor(cluster.scheduler_address, store)
    job = executor.submit(sweep_of(100), "ann")
    wait_for_progress(store, job.id)
    os.kill(working_pid(cluster), signal.SIGKILL)
    assert finished(executor, job.id).state == "done"
    assert len(store.result(job.id)) == 100
    told = [e.fraction for e in store.events(job.id) if isinstance(e, Progress)]
    assert 0 not in told[1:]  # it went on, and did not begin anew
    executor.close()


def test_a_job_on_a_cluster_is_cancelled(cluster: Any, store: Store) -> None:
    executor = DaskExecutor(cluster.scheduler_address, store)
    job = executor.submit(sweep_of(2000), "ann")
    wait_for_progress(store, job.id)
    executor.cancel(job.id)
    assert finished(executor, job.id).state == "cancelled"
    executor.close()
