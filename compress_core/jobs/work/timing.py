"""A network's time beside the original's."""

from dataclasses import asdict, dataclass
from typing import Any

from compress_core.compressed import compress
from compress_core.events import Watcher
from compress_core.jobs.work.common import check_recipes, compressed_of, go_on, original_of
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import measure_size
from compress_core.measurement.speed import Speed, measure_speed


@dataclass(frozen=True)
class Timing:
    """Time a recipe's graph beside the original's. Result: the fields of `Speed`, nested;
    `speed_from_json` reads them."""

    model: str
    recipe: str

    def __post_init__(self) -> None:
        check_recipes((self.recipe,))


def run_timing(work: Timing, watcher: Watcher) -> dict[str, Any]:
    """The graphs as exported: they dequantize k-bit weights on every run."""
    from compress_core.graph import to_onnx  # half a second of import, only for this kind

    original = original_of(work.model)
    go_on(watcher, 0, "exporting the graph before")
    if original.elsewhere:
        return original.elsewhere.speed(work.recipe)
    before = to_onnx(compress(original, ()))
    go_on(watcher, 1 / 3, "exporting the graph after")
    compressed = compressed_of(work.model, work.recipe)
    after = to_onnx(compressed)
    go_on(watcher, 2 / 3, "timing")
    size = measure_size(compressed)
    return asdict(measure_speed(size, (before, after), original.examples))


def speed_from_json(result: dict[str, Any]) -> Speed:
    """What a `Timing` found."""
    times = {name: Latency(**result[name]) for name in ("before", "after")}
    return Speed(**{**result, **times})
