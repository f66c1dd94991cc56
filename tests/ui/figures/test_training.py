"""Figures of a training: a curve a run, a frame an epoch, one axis for all frames."""

from compress_core.events import Epoch, Frame
from ui.figures import time_lapse, training_curves, weights_of_epoch
from ui.figures.training import MOST_FRAMES
from ui.palette import LIGHT

FRAMES = [
    (f"epoch {i}", Frame("fc", -1.0, 1.0, (i, 2 * i), 0.5, codebook=(0.1 * i,)))
    for i in range(1, 101)
]
RUN = [Epoch("finetune", i, 3, 1 / i, 0.9, 0.5, 1.0) for i in (1, 2, 3)]


def test_each_training_has_a_curve_of_loss_and_one_of_accuracy() -> None:
    shown = training_curves({"a": RUN, "b": RUN[:2]}, LIGHT, metric="accuracy, %")
    assert [len(trace.x) for trace in shown.data] == [3, 3, 2, 2]
    assert list(shown.data[1].y) == [90.0] * 3
    assert shown.layout.yaxis2.title.text == "accuracy, %"


def test_a_time_lapse_keeps_first_and_last_epoch_and_one_axis() -> None:
    shown = time_lapse(FRAMES, LIGHT)
    names = [frame.name for frame in shown.frames]
    assert len(names) == MOST_FRAMES
    assert (names[0], names[-1]) == ("epoch 1", "epoch 100")
    assert shown.layout.yaxis.range[1] == 1.05 * 200


def test_the_codebook_moves_below_the_bars() -> None:
    shown = weights_of_epoch(FRAMES[-1][1], LIGHT, top=210)
    bars, entries = shown.data
    assert list(bars.x) == [-0.5, 0.5]
    assert list(entries.x) == [10.0]
    assert entries.y[0] < 0
