"""What the events of a training say."""

from compress_core.events import Epoch, Progress
from ui.recover import progress


def epoch(number: int, step: str = "finetune:epochs=4", seconds: float = 10.0) -> Epoch:
    return Epoch(step, number, 4, 0.1, 0.9, 0.5, seconds)


def test_epochs_of_two_steps_are_two_runs() -> None:
    events = (epoch(1), epoch(2), Progress(0.5, "…"), epoch(1), epoch(1, "qat:epochs=4"))
    assert [len(run) for run in progress.runs(events)] == [2, 1, 1]


def test_the_time_left_is_that_of_the_epochs_to_come() -> None:
    assert progress.seconds_left((epoch(1), epoch(2, seconds=20.0))) == 30.0


def test_a_step_whose_first_epoch_is_not_over_has_neither_curve_nor_time() -> None:
    events = (epoch(4), Progress(0.1, "qat:epochs=4: epoch 1 of 4, loss 1"))
    assert progress.present_run(events) == ()
    assert progress.seconds_left(events) is None


def test_what_is_not_about_a_step_leaves_the_curve() -> None:
    assert progress.present_run((epoch(4), Progress(1.0, "done"))) == (epoch(4),)
