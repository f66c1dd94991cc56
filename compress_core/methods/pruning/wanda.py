"""Activation-aware pruning (Wanda): a small weight on a loud input matters more than it seems."""

from dataclasses import dataclass

from torch import Tensor

from compress_core.methods.pruning.ranking import PruneMeasured, ScoreScope, check_measured
from compress_core.weights import as_matrix


@dataclass(frozen=True)
class PruneWanda(PruneMeasured):
    """Prune the fraction `sparsity` of weights with the lowest |w_ij|·‖x_j‖₂.

    x_j is input j of the layer over `samples` calibration images, drawn by `seed`. scope: "row",
      the paper's, takes the fraction of each output's weights; "layer" of each layer; "global"
      ranks all named layers together.
    Raises ValueError for anything else. Source: Sun et al. 2023, 2306.11695, eq. 1 and section 3.
    """

    scope: ScoreScope = "row"


def input_norms(mean_squares: Tensor) -> Tensor:
    """√(mean x_j²) of each input, in the shape of `mean_squares`.

    It is ‖x_j‖₂/√count: the same ranking within a layer, and across layers one that does not grow
    with the number of positions at which a convolution is applied.
    """
    return mean_squares.sqrt()


def wanda_scores(weight: Tensor, norms: Tensor) -> Tensor:
    """|w_ij|·‖x_j‖₂, float32, of the shape of the weight.

    norms: of the inputs that as_matrix(weight), (out, in), multiplies: (in,), or (groups, in) of a
    convolution in groups, each of which sees inputs of its own. Raises ValueError for another
    shape and for norms that are not finite.
    """
    matrix = as_matrix(weight)  # (out, in)
    by_group = norms.view(-1, norms.shape[-1])  # (groups, in)
    groups, columns = by_group.shape
    if columns != matrix.shape[1] or len(matrix) % groups:
        raise ValueError(
            f"norms of shape {tuple(norms.shape)} do not fit a weight of shape "
            f"{tuple(weight.shape)}; give one for each of its {matrix.shape[1]} inputs, (in,) or "
            "(groups, in)"
        )
    check_measured("norms", norms)
    by_output = by_group.repeat_interleave(len(matrix) // groups, dim=0)  # (out, in)
    return (matrix.abs().double() * by_output).float().view(weight.shape)
