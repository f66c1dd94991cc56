"""Measure the files that leave: bytes, the score of that file, and the time of an ONNX file."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor, nn

from compress_core.compressed import Compressed
from compress_core.dataset import Dataset
from compress_core.leaving.exports import BY_NAME, EXPORTS, Export
from compress_core.leaving.running import READERS, OnnxNetwork, place_of_output
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.cost import Latency, measure_latencies
from compress_core.measurement.scores import Judge, Score, judge
from compress_core.recipe import format_recipe

NO_DATA = "no data were given"


@dataclass(frozen=True)
class MeasuredFile:
    """What was measured of a file; None where there is nothing, and then `reason` says why.

    `file_bytes` None: it cannot be made. `score` and `change` against the original are those of the
    network that was read from the file. `before` and `after` are times of the original's ONNX file
    and of this one, in turns; only ONNX files have some.
    """

    name: str
    file_bytes: int | None = None
    score: Score | None = None
    change: PairedDifference | None = None
    before: Latency | None = None
    after: Latency | None = None
    reason: str = ""

    @property
    def speedup(self) -> float | None:
        """Median time before / after: 2 is twice as fast."""
        if self.before is None or self.after is None:
            return None
        return self.before.latency_ms_p50 / self.after.latency_ms_p50

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `measured_file` reads it."""
        return asdict(self)


PARTS = {"score": Score, "change": PairedDifference, "before": Latency, "after": Latency}


def measured_file(row: dict[str, Any]) -> MeasuredFile:
    """The row in such data. Raises KeyError or TypeError for anything else."""
    parts = {name: part(**row[name]) for name, part in PARTS.items() if row[name] is not None}
    return MeasuredFile(**{**row, **parts})


@dataclass(frozen=True, eq=False)
class FileBench:
    """Measures the files of one compressed model on `data`.

    Without data there are no scores, and `no_data` says why. `stop` is asked before each batch;
    where it says yes, Stopped is raised.
    """

    compressed: Compressed
    data: Dataset | None
    no_data: str = NO_DATA
    stop: Callable[[], bool] = lambda: False

    def measure(self, export: Export) -> MeasuredFile:
        """The file, made and measured; a reason in the place of what is impossible."""
        row, elsewhere = MeasuredFile(export.name), self.compressed.original.elsewhere
        try:
            if elsewhere and self.data is not None:
                recipe = format_recipe(self.compressed.recipe)
                return measured_file(elsewhere.measured_file(recipe, export.name))
            refusal = export.refusal(self.compressed)
            if refusal:
                return replace(row, reason=refusal)
            raw = self._make(export)
            row = replace(row, file_bytes=len(raw))
            return self._run(export, raw, row) if export.form in READERS else row
        except ValueError as error:
            return replace(row, reason=str(error))

    def _make(self, export: Export) -> bytes:
        if export.name == "original":  # the others are timed beside it
            return self._original_file
        return export.make(self.compressed)

    @cached_property
    def _original_file(self) -> bytes:
        return BY_NAME["original"].make(self.compressed)

    def _run(self, export: Export, raw: bytes, row: MeasuredFile) -> MeasuredFile:
        network = READERS[export.form](raw, self.compressed)
        row = self._scored(network, row)
        if export.form != "onnx":
            return row
        pair = (self._original_file, raw)
        before, after = measure_latencies(pair, self.compressed.original.examples)
        return replace(row, before=before, after=after)

    def _scored(self, network: nn.Module, row: MeasuredFile) -> MeasuredFile:
        if self.data is None:
            return replace(row, reason=self.no_data)
        judged, baseline = self._judged
        own = judged
        if isinstance(network, OnnxNetwork):
            own = replace(judged, output=place_of_output(self.compressed.original))
        answers = own.answers(network, stop=self.stop)
        score = judged.score(answers, baseline)
        return replace(row, score=score, change=judged.change(baseline, answers, baseline))

    @cached_property
    def _judged(self) -> tuple[Judge, Tensor]:
        """Who judges, and the original's answers."""
        assert self.data is not None
        original = self.compressed.original
        judged = judge(original, self.data)
        return judged, judged.answers(original.pristine, stop=self.stop)


def is_saturated(rows: Iterable[MeasuredFile]) -> bool:
    """Whether the score of the int8 file is that of kernels that saturate (see `saturation`)."""
    if not any(row.name == "onnx_int8" and row.score for row in rows):
        return False
    from compress_core.models.importing.onnx.saturation import products_saturate

    return products_saturate()  # imports onnx, as has measuring that file


def measure_files(
    compressed: Compressed, data: Dataset | None, *, no_data: str = NO_DATA
) -> Iterator[MeasuredFile]:
    """Every file of a compressed model, measured one after the other."""
    bench = FileBench(compressed, data, no_data)
    return (bench.measure(export) for export in EXPORTS)
