"""Which executor does the jobs: this machine's, or that of a cluster."""

from compress_core.jobs.cluster import DaskExecutor
from compress_core.jobs.executor import Executor, Limits
from compress_core.jobs.local import LocalExecutor
from compress_core.jobs.store import Store


def start_executor(
    scheduler: str | None = None,
    *,
    store: Store | None = None,
    limits: Limits | None = None,
    take_over: bool = True,
) -> Executor:
    """An executor on this machine, or the one at `scheduler`, such as tcp://10.0.0.1:8786.

    A server takes over the jobs of an earlier one, a command beside it does not (`take_over`).
    Raises ValueError where the jobs' folder or Dask is missing, OSError where no scheduler answers.
    """
    if scheduler is not None:
        return DaskExecutor(scheduler, store, limits=limits)
    return LocalExecutor(store, limits=limits, take_over=take_over)
