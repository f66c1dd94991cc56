"""The inputs of a layer as rows of the matrix that its weight, as a matrix, multiplies."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK = 2**22  # values of unfolded patches at a time, 16 MiB


def input_rows(module: nn.Module, inputs: Tensor) -> Tensor:
    """Inputs (B, …) of a layer → (groups, n, in / groups), so that y = rows @ as_matrix(weight)ᵀ.

    Of a convolution a row is a patch, in the order of weight.flatten(1); its channels are split by
    group. Of others a row is what lies along the last dimension.
    """
    if isinstance(module, nn.Conv1d | nn.Conv2d):
        return _patches(module, inputs)
    return inputs.reshape(1, -1, inputs.shape[-1])


def _patches(module: nn.Conv1d | nn.Conv2d, inputs: Tensor) -> Tensor:
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = functional.pad(inputs, module._reversed_padding_repeated_twice, mode=mode)
    plane = padded if padded.dim() == 4 else padded.unsqueeze(2)  # (B, C, 1, L)
    kernel, dilation, stride = (
        size if len(size) == 2 else (1, *size)
        for size in (module.kernel_size, module.dilation, module.stride)
    )
    patches = functional.unfold(plane, kernel, dilation=dilation, stride=stride)
    grouped = patches.unflatten(1, (module.groups, -1))  # (B, groups, in, positions)
    rows: Tensor = grouped.permute(1, 0, 3, 2).flatten(1, 2)
    return rows


def chunks(module: nn.Module, inputs: Tensor) -> tuple[Tensor, ...]:
    """The inputs in parts whose rows fit in memory, at least one image each."""
    kernel = math.prod(getattr(module, "kernel_size", ()))
    parts: tuple[Tensor, ...] = inputs.split(max(1, CHUNK // (kernel * inputs[0].numel())))
    return parts


def pick_rows(rows: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the rows (groups, n, in), at least one, drawn without replacement."""
    if share >= 1:
        return rows
    n = rows.shape[1]
    picked = torch.randperm(n, generator=generator)[: max(1, round(share * n))]
    return rows[:, picked]
