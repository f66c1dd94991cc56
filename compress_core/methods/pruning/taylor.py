"""Pruning by first-order Taylor importance: what the loss would change if a weight were zero."""

from dataclasses import dataclass

from torch import Tensor

from compress_core.methods.pruning.ranking import PruneMeasured, check_measured


@dataclass(frozen=True)
class PruneTaylor(PruneMeasured):
    """Prune the fraction `sparsity` of weights with the lowest |w·∂L/∂w|.

    L is the mean cross-entropy over `samples` calibration images, drawn by `seed`. scope: "global"
      ranks all named layers together (the scores are changes of one loss, so that they compare),
      "layer" takes the fraction of each, "row" of each output.
    Raises ValueError for anything else. Source: Molchanov et al. 2017, 1611.06440, eq. 7, for a
    single weight instead of a feature map.
    """


def taylor_scores(weight: Tensor, gradient: Tensor) -> Tensor:
    """|w·∂L/∂w|: to first order, how much the loss changes when this one weight becomes zero.

    gradient: ∂L/∂w over the calibration images, of the shape of the weight. Returns float32 of that
    shape. Raises ValueError for another shape and for a gradient that is not finite.
    """
    if gradient.shape != weight.shape:
        raise ValueError(
            f"gradient of shape {tuple(gradient.shape)} must have the shape of its weight, "
            f"{tuple(weight.shape)}; take it from the same network"
        )
    check_measured("gradient", gradient)
    return (weight.double() * gradient.double()).abs().float().contiguous()
