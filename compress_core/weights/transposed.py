"""The weight of a transposed convolution: (in, out / groups, …) in torch, outputs first for us.

Rows and channels always mean outputs here (in scales, masks, profiles), so outputs come first.
"""

from torch import Tensor


def outputs_first(weight: Tensor, groups: int) -> Tensor:
    """(in, out / groups, …) → (out, in / groups, …), the layout of any other convolution."""
    grouped = weight.unflatten(0, (groups, -1))  # (groups, in / groups, out / groups, …)
    swapped: Tensor = grouped.transpose(1, 2)
    return swapped.flatten(0, 1).contiguous()


def inputs_first(weight: Tensor, groups: int) -> Tensor:
    """(out, in / groups, …) → (in, out / groups, …): back to the layout that torch reads."""
    return outputs_first(weight, groups)  # both exchange the same two axes inside each group
