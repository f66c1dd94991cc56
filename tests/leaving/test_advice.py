"""Which file to take, by made-up measurements."""

from compress_core.leaving.advice import advise
from compress_core.leaving.measuring import MeasuredFile
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.cost import Latency
from compress_core.measurement.scores import Score


def row(name: str, size: int, lost: float = 0.0, speedup: float = 1.0) -> MeasuredFile:
    """A file that loses `lost` of the accuracy, give or take 0.01."""
    score = Score("accuracy", 0.9 - lost, 0.8, 0.95, 600)
    change = PairedDifference(-lost, -lost - 0.01, -lost + 0.01, 0, 0, 600)
    times = Latency(speedup, speedup, 200), Latency(1.0, 1.0, 200)
    return MeasuredFile(name, size, score, change, *times)


def rows(*found: MeasuredFile) -> dict[str, MeasuredFile]:
    return {one.name: one for one in found}


def test_the_smallest_file_is_neither_the_original_nor_the_recipe() -> None:
    found = advise(rows(row("original", 10), row("recipe", 5), row("stored", 20), row("onnx", 30)))
    assert found.smallest is not None
    assert found.smallest.name == "stored"


def test_a_graph_that_clearly_loses_more_than_the_recipe_is_not_advised() -> None:
    stored = row("stored", 20, lost=0.02)
    found = advise(
        rows(stored, row("onnx_int4_weights", 30, lost=0.05), row("onnx_int8", 40, lost=0.025))
    )
    assert found.onnx is not None
    assert found.onnx.name == "onnx_int8"


def test_the_fastest_must_be_faster_than_noise() -> None:
    slow = rows(row("stored", 20), row("onnx_int8", 40, speedup=1.1))
    assert advise(slow).fastest is None
    fast = advise(slow | rows(row("onnx_fp32", 90, speedup=1.5))).fastest
    assert fast is not None
    assert fast.name == "onnx_fp32"


def test_files_that_cannot_be_made_are_left_out() -> None:
    found = advise(rows(MeasuredFile("onnx", reason="no graph"), MeasuredFile("stored", 20)))
    assert found.onnx is None
    assert found.smallest == MeasuredFile("stored", 20)


def test_without_data_size_and_time_decide() -> None:
    times = Latency(2.0, 2.0, 200), Latency(1.0, 1.0, 200)
    found = advise(rows(MeasuredFile("onnx", 30, None, None, *times, reason="no data")))
    assert found.smallest == found.onnx == found.fastest


def test_the_smallest_file_may_not_lose_more_than_the_recipe_either() -> None:
    found = advise(rows(row("stored", 50), row("onnx_int4_weights", 30, lost=0.05)))
    assert found.smallest is not None
    assert found.smallest.name == "stored"
