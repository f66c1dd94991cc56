"""Networks of one's own, as factories, and functions that are none."""

import torch
from torch import Tensor, nn

from compress_core.original import Original


class Perceptron(nn.Module):
    """Digits of 8 x 8 pixels, 64-300-100-10."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(64, 300), nn.Linear(300, 100), nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.fc2(self.fc1(x.flatten(1)).relu()).relu()
        out: Tensor = self.fc3(hidden)
        return out


class Tokens(nn.Module):
    """The next token of a sequence, of a vocabulary of 50."""

    example_input_array = torch.zeros(1, 12, dtype=torch.int64)

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(50, 8), nn.Linear(8, 50)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.table(x))
        return out


class TwoOutputs(nn.Module):
    """Scores of classes, and what they were made of."""

    example = torch.zeros(1, 6)

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = self.body(x)
        return {"scores": self.head(hidden), "hidden": hidden}


def two_outputs() -> nn.Module:
    return TwoOutputs()


def build() -> nn.Module:
    return Perceptron()


def build_with_example() -> tuple[nn.Module, Tensor]:
    return Perceptron(), torch.zeros(1, 1, 8, 8)


def tokens() -> nn.Module:
    torch.manual_seed(0)
    return Tokens()


def original() -> Original:
    return Original(Perceptron().eval(), (1, 8, 8), task="agreement")


def broken() -> nn.Module:
    raise RuntimeError("no such layer")


def returns_text() -> str:
    return "a network"


NUMBER = 7
