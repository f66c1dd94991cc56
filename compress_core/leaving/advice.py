"""Which file to take for what, judged by what was measured of each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compress_core.leaving.exports import BY_NAME
from compress_core.leaving.measuring import MeasuredFile
from compress_core.measurement.speed import TOLERANCE


@dataclass(frozen=True)
class Advice:
    """The smallest file, the smallest ONNX file and the fastest one, of those that lose no more
    than the recipe, as far as their intervals tell. None where no such file was measured; `fastest`
    also where none is clearly faster than the original."""

    smallest: MeasuredFile | None
    onnx: MeasuredFile | None
    fastest: MeasuredFile | None


def advise(rows: Mapping[str, MeasuredFile]) -> Advice:
    """What to take of the measured files, by name."""
    allowed = _loss(rows.get("stored"))
    made = [row for row in rows.values() if row.file_bytes is not None and _is_result(row)]
    good = [row for row in made if _may_lose(row) <= allowed]
    graphs = [row for row in good if BY_NAME[row.name].form == "onnx"]
    fast = [row for row in graphs if (row.speedup or 0) > TOLERANCE]
    return Advice(
        smallest=_smallest(good),
        onnx=_smallest(graphs),
        fastest=max(fast, key=lambda row: row.speedup or 0, default=None),
    )


def _is_result(row: MeasuredFile) -> bool:
    return row.name != "original" and BY_NAME[row.name].form != "text"


def _smallest(rows: Iterable[MeasuredFile]) -> MeasuredFile | None:
    return min(rows, key=lambda row: row.file_bytes or 0, default=None)


def _loss(row: MeasuredFile | None) -> float:
    """What a file loses against the original; 0 if it gains, or was not judged."""
    if row is None or row.score is None or row.change is None:
        return 0.0
    return max(0.0, row.score.kind.lost(row.change.difference))


def _may_lose(row: MeasuredFile) -> float:
    """The least that a file may lose, by the interval of its change; 0 where it was not judged."""
    if row.score is None or row.change is None:
        return 0.0
    kind, change = row.score.kind, row.change
    return kind.lost(change.difference_high if kind.higher_is_better else change.difference_low)
