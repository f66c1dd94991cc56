"""A full sweep of mnist-lenet-5: three families of ten points, each a real file and 10,000 images.

Then the same points as the Trade-offs page has them: the first visit's jobs measure them, and the
second visit only looks them up and makes their rows. Drawing the page is not in it.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.table import Lap, Row, row, show, timed
from compress_core import load_dataset, load_model
from compress_core.command_line.console import progress
from compress_core.data import is_available
from compress_core.jobs.local import LocalExecutor
from compress_core.jobs.store import Store
from compress_core.jobs.work import Sweep
from compress_core.search.sweep import Family, families, sweep

MODEL = "mnist-lenet-5"
FAMILIES = ("prune", "factorize", "prune + quantize")
SECOND_VISITS = 20


def run() -> None:
    if not is_available("mnist"):
        print("\nsweep: skipped, MNIST is not here; `python -m compress_core data mnist` gets it")
        return
    original, data = load_model(MODEL), load_dataset("mnist")
    known = families(original)
    chosen = [known[name] for name in FAMILIES]
    recipes = [recipe for family in chosen for recipe in family.recipes]
    reports = sweep(original, recipes, data)
    with progress() as bar:
        steps = bar.track(range(len(recipes)), len(recipes), "sweep")
        points = [timed(lambda: next(reports))[1] for _ in steps]
    show(f"sweep: {MODEL}, {len(data):,} images a point", [*sums(points), *visits(chosen)])


def sums(points: Sequence[Lap]) -> list[Row]:
    whole = Lap(sum(lap.wall for lap in points), sum(lap.interpreter for lap in points))
    return [
        row("one point", points),
        row(f"sweep: all {len(points)} points and the baseline", [whole]),
    ]


def visits(chosen: Sequence[Family]) -> list[Row]:
    """The Trade-offs page's own way to its rows: measured by its jobs, and found again."""
    logging.disable(logging.WARNING)  # streamlit misses its server, which caching does not need
    from ui.session import executor
    from ui.trade_offs import plane, work

    sweeps = work.sweeps(MODEL, chosen, ())
    with TemporaryDirectory() as folder:
        local = LocalExecutor(Store(Path(folder)))
        executor.use(local)
        _, first = timed(lambda: do_all(local, sweeps))
        again = [
            timed(
                lambda: [
                    plane.rows(MODEL, family.recipes, work.points(sweeps)) for family in chosen
                ]
            )[1]
            for _ in range(SECOND_VISITS)
        ]
        executor.close()
    logging.disable(logging.NOTSET)
    return [
        row("first visit: measured by jobs", [first]),
        row("second visit: looked up", again, plain=[first]),
    ]


def do_all(local: LocalExecutor, sweeps: Sequence[Sweep]) -> None:
    """Submit, and wait until all are over."""
    for work in sweeps:
        local.submit(work, "benchmark")
    while any(job.unfinished for job in local.jobs()):
        time.sleep(0.1)
