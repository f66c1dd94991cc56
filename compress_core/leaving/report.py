"""The facts of a report that somebody takes home: what a screen knows, gathered as plain data.

The app writes them as one HTML file; whoever wants another form has all numbers here.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from compress_core.compressed import Compressed
from compress_core.leaving.script import OwnModel, console_command, python_script
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.ledger import LedgerRow, ledger
from compress_core.measurement.report import Report, Size, measure_size
from compress_core.measurement.scores import Score
from compress_core.measurement.waterfall import Stage, waterfall
from compress_core.original import Original
from compress_core.recipe import Recipe
from compress_core.search.curves import load_curves
from compress_core.search.sweep import Row, families
from compress_core.stored import StoredLayer

SHOWN_LAYERS = 4  # whose weights are drawn: the largest
BINS = 81  # an odd number, so that zero has a bin of its own
CURVES = ("prune", "quantize", "factorize", "prune + quantize", "channels", "trained")
PACKAGES = ("compress-explorer", "torch", "numpy", "constriction", "onnxruntime")

Curves = Mapping[str, Sequence[tuple[Recipe, Row]]]


@dataclass(frozen=True)
class FileFacts:
    """A file that was taken home, as it was measured; None for what was not. Units: bytes, ms.

    `bytes` is None for a file that cannot be made; `note` says why.
    """

    name: str
    bytes: int | None
    score: Score | None = None
    latency_ms: float | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class WeightHistogram:
    """How many weights of a layer lie in each bin (bins,), before and after; edges (bins + 1,)."""

    layer: str
    edges: NDArray[np.float64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """All that a report says. `score`, `baseline` and `change` are None where nothing was measured,
    `reason` says why by this metric; `script` and `command` do it again (`command` is "" for a
    network that the command line does not know); `versions` are those of the packages here."""

    title: str
    recipe: Recipe
    size: Size
    score: Score | None
    baseline: Score | None
    change: PairedDifference | None
    reason: str
    ledger: tuple[LedgerRow, ...]
    stages: tuple[Stage, ...]
    histograms: tuple[WeightHistogram, ...]
    curves: Curves
    files: tuple[FileFacts, ...]
    script: str
    command: str
    versions: Mapping[str, str]
    day: date


def report_facts(
    compressed: Compressed,
    report: Report | None = None,
    *,
    title: str = "",
    files: Sequence[FileFacts] = (),
    own: OwnModel | None = None,
    images: int | None = None,
    day: date | None = None,
) -> ReportFacts:
    """The facts of a compressed network; `report` is what was measured on data, if anything was.

    `own` and `images` are those of `python_script`; without `own`, a network that is none of ours
    gets no script. It weighs the files of the ledger and of each stage: a second or two.
    """
    original, name = compressed.original, compressed.original.name
    has_name = original.fresh is not None  # a reference network, as it was trained
    scripted = has_name or own is not None
    return ReportFacts(
        title=title or name,
        recipe=compressed.recipe,
        size=report.size if report else measure_size(compressed),
        score=report.score if report else None,
        baseline=report.baseline if report else None,
        change=report.change if report else None,
        reason=report.reason if report else "",
        ledger=ledger(compressed),
        stages=waterfall(compressed),
        histograms=weight_histograms(compressed.layers.values()),
        curves=shipped_curves(original) if has_name else {},
        files=tuple(files),
        script=python_script(name, compressed.recipe, own=own, images=images) if scripted else "",
        command=console_command(name, compressed.recipe, images=images) if has_name else "",
        versions=package_versions(),
        day=day or datetime.now(UTC).date(),
    )


def weight_histograms(layers: Iterable[StoredLayer]) -> tuple[WeightHistogram, ...]:
    """Those of the largest layers, the largest first."""
    ordered = sorted(layers, key=lambda stored: -stored.layer.weight.numel())
    return tuple(_histogram(stored) for stored in ordered[:SHOWN_LAYERS])


def _histogram(stored: StoredLayer) -> WeightHistogram:
    before, after = (t.detach().numpy().ravel() for t in (stored.layer.weight, stored.dense))
    limit = float(max(np.abs(before).max(), np.abs(after).max())) or 1e-9
    counts = [np.histogram(values, BINS, (-limit, limit)) for values in (before, after)]
    return WeightHistogram(stored.layer.name, counts[0][1], counts[0][0], counts[1][0])


def shipped_curves(original: Original) -> Curves:
    """Recipe and row of each point that ships for a reference network, by family."""
    rows = load_curves(original.name).rows
    known = {name: family for name, family in families(original).items() if name in CURVES}
    found = {
        name: [(recipe, rows[recipe]) for recipe in family.recipes if recipe in rows]
        for name, family in known.items()
    }
    return {
        name: [(recipe, row) for recipe, row in points if "refused" not in row]
        for name, points in found.items()
        if points
    }


def package_versions() -> dict[str, str]:
    """Python's version and those of the packages that decide about numbers and bytes."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # run from the checkout, or not needed
            continue
    return found
