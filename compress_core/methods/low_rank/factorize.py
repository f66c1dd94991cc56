"""The step: which form a layer's weight takes, and what decides the rank."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_number,
    check_whole,
)

Form = Literal["channel", "spatial", "tucker"]
FORMS: tuple[Form, ...] = ("channel", "spatial", "tucker")


@dataclass(frozen=True)
class Factorize:
    """Low rank: one weight becomes two or three thinner ones. At most one of these is given:

    rank: the rank itself. energy: the fewest weights that keep this share of Σσ². budget: this
      fraction of the weights of all named layers together, spent where it keeps the most energy;
      a layer that keeps all of its weights is not factorized.
    With none of them, the largest rank that does not grow the layer (break-even).

    form: "channel" (k × k then 1 × 1; the only form of a Linear), "spatial" (k × 1 then 1 × k) or
      "tucker" (1 × 1, k × k, 1 × 1; rank is its r_out, r_in follows in proportion).
    whiten: minimize the error of the layer's output on `samples` calibration inputs instead of the
      error of its weight; `energy` is then that of the output. For the form "channel" only.
    Raises ValueError for a value out of range; a rank above the full one, and a form that a layer
    cannot take, are refused when the layers are known.
    Source: Eckart & Young 1936; Denton 2014, 1404.0736; Jaderberg 2014, 1405.3866; Kim 2015,
    1511.06530.
    """

    kind: ClassVar[str] = "factorize"

    rank: int | None = None
    energy: float | None = None
    budget: float | None = None
    form: Form = "channel"
    whiten: bool = False
    samples: int = 256
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        given = {"rank": self.rank, "energy": self.energy, "budget": self.budget}
        given = {name: value for name, value in given.items() if value is not None}
        if len(given) > 1:
            shown = ", ".join(f"{name}={value}" for name, value in given.items())
            raise ValueError(f"{shown}: give one of them, not {len(given)}")
        if self.rank is not None:
            check_whole("rank", self.rank, low=1, high=2**31, remedy="rank 1 is the thinnest pair")
        if self.energy is not None:
            _check_share("energy", self.energy, remedy="0.9 keeps 90 % of Σσ²")
        if self.budget is not None:
            _check_share("budget", self.budget, remedy="0.5 keeps half the weights")
        check_choice("form", self.form, FORMS)
        check_choice("whiten", self.whiten, (False, True))
        if self.whiten and self.form != "channel":
            raise ValueError(
                f"whiten=True, form={self.form!r}: only the form 'channel' multiplies the inputs "
                "that were measured; choose form='channel' or whiten=False"
            )
        check_whole("samples", self.samples, low=1, high=2**31, remedy="256 is a good number")
        check_layers(self.layers)


def _check_share(name: str, value: float, *, remedy: str) -> None:
    check_number(name, value, low=1e-6, high=1, closed=True, remedy=remedy)
