"""The tensors of a network that a file holds, and the size of that file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from safetensors.torch import save
from torch import Tensor, nn

HALVES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class TensorType:
    """Type and shape of a tensor, without its values."""

    dtype: torch.dtype
    shape: tuple[int, ...]


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The parameters and the buffers of the state dict, by key, in its order.

    A state dict may hold more: what a module adds of its own (get_extra_state) is no tensor that
    the network computes with, and is left out.
    """
    return dict(_named_tensors(model))


def _named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    # with duplicates: a module that stands in two places has its tensors under two keys
    for path, part in model.named_modules(remove_duplicate=False):
        prefix = f"{path}." if path else ""
        for name, parameter in part._parameters.items():
            if parameter is not None:
                yield prefix + name, parameter
        for name, buffer in part._buffers.items():
            if buffer is not None and name not in part._non_persistent_buffers_set:
                yield prefix + name, buffer


def distinct_types(model: nn.Module) -> dict[str, TensorType]:
    """Type and shape of the tensors of a state dict, tied ones once, by their last key."""
    last = {id(tensor): (key, tensor) for key, tensor in named_tensors(model).items()}
    return {key: TensorType(t.dtype, tuple(t.shape)) for key, t in last.values()}


def dense_file_bytes(types: Mapping[str, TensorType]) -> int:
    """Bytes of a safetensors file of such tensors, header included."""
    return len(save({key: torch.empty(t.shape, dtype=t.dtype) for key, t in types.items()}))


def in_own_type(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    """`tensor`, float32, as the half-precision `dtype` that it came in, where that holds each of
    its values exactly; else as it is."""
    if dtype not in HALVES or tensor.dtype != torch.float32:
        return tensor
    narrow = tensor.to(dtype)
    return narrow if same_bits(narrow.to(torch.float32), tensor) else tensor


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two float32 tensors are equal bit for bit: -0.0 is not 0.0."""
    return torch.equal(a.contiguous().view(torch.int32), b.contiguous().view(torch.int32))
