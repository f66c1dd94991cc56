"""How networks are trained: the settings of each reference network, and of all others."""

from dataclasses import dataclass, replace
from typing import Literal

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["one_cycle", "cosine"]


@dataclass(frozen=True)
class Settings:
    """How one network is trained; `shift` in pixels, `flip` mirrors left and right at random.

    schedule: of the learning rate: up and down again ("one_cycle"), or down from the start as a
    cosine. bfloat16: convolutions and products in 16 bits (autocast), while weights and sums stay
    float32: a batch of cifar-resnet-20 takes 241 instead of 401 ms on a core with AVX-512 BF16.

    SGD with an L2 penalty leaves many weights near zero, so that pruning has something to find:
    80 % one-shot sparsity costs digits-cnn 0.0 points, and 35 points in a trial with AdamW.
    Transformers need AdamW.
    """

    epochs: int
    learning_rate: float
    weight_decay: float = 1e-3
    optimizer: Optimizer = "sgd"
    schedule: Schedule = "one_cycle"
    batch_size: int = 128
    shift: int = 0
    flip: bool = False
    bfloat16: bool = False


SETTINGS = {
    "digits-mlp": Settings(epochs=150, learning_rate=0.1, batch_size=64, shift=1),
    "digits-cnn": Settings(epochs=120, learning_rate=0.1, batch_size=64, shift=1),
    "digits-transformer": Settings(
        epochs=250,
        learning_rate=2e-3,
        weight_decay=0.05,
        optimizer="adamw",
        batch_size=64,
        shift=1,
    ),
    "mnist-lenet-300-100": Settings(epochs=40, learning_rate=0.1, weight_decay=5e-4, shift=1),
    "mnist-lenet-5": Settings(epochs=20, learning_rate=0.05, shift=2),
    "fashion-cnn": Settings(epochs=12, learning_rate=0.1, shift=2, flip=True),
    "cifar-resnet-20": Settings(
        epochs=45, learning_rate=0.2, weight_decay=5e-4, shift=4, flip=True, bfloat16=True
    ),
}
# Some networks are trained a second time round, from where the first cycle ended.
SECOND_CYCLES = {
    "cifar-resnet-20": replace(SETTINGS["cifar-resnet-20"], epochs=20, learning_rate=0.1)
}
# Of networks that others bring, nothing is known: a careful rate, and no changed images.
UNKNOWN = Settings(epochs=1, learning_rate=3e-3, weight_decay=0.0, optimizer="adamw")


def settings_of(name: str) -> Settings:
    """The settings of a reference network, or those for any other."""
    return SETTINGS.get(name, UNKNOWN)
