"""What all training steps share: how long they train, how fast, and from which seed."""

from typing import Protocol

from compress_core.methods.step import check_layers, check_number, check_seed, check_whole

KIND = "train"
MOST_EPOCHS = 1000


class TrainingFields(Protocol):
    """What every step that trains has. `learning_rate` None is the usual one of network and method;
    `layers` are those whose weights are trained, beside all biases and norms."""

    @property
    def epochs(self) -> int: ...

    @property
    def learning_rate(self) -> float | None: ...

    @property
    def seed(self) -> int: ...

    @property
    def layers(self) -> tuple[str, ...]: ...


def check_training(step: TrainingFields) -> None:
    """Raise ValueError for epochs, learning rate, seed or layers that mean nothing."""
    check_whole(
        "epochs",
        step.epochs,
        low=1,
        high=MOST_EPOCHS + 1,
        remedy="3 are usual; leave the step out to train nothing",
    )
    if step.learning_rate is not None:
        check_number(
            "learning_rate",
            step.learning_rate,
            low=1e-8,
            high=100,
            remedy="leave it out for the usual one, or take one such as 0.01",
        )
    check_seed(step.seed)
    check_layers(step.layers)
