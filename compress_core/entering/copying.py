"""Private copies of networks: what runs in one of them is seen in no other."""

import copy
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode


class _Detached(TorchFunctionMode):
    """Makes copy.deepcopy take tensors that it refuses: results of a computation with gradients,
    such as a feature map that the network has kept. Tensors of the types `wide` become float32."""

    def __init__(self, wide: frozenset[torch.dtype] = frozenset()) -> None:
        super().__init__()
        self._wide = wide

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is Tensor.__deepcopy__:
            tensor, memo = args
            if id(tensor) not in memo and tensor.dtype in self._wide:
                return tensor.detach().to(torch.float32)
            if id(tensor) not in memo and (not tensor.is_leaf or tensor.is_inference()):
                return tensor.detach().clone()
        return func(*args, **(kwargs or {}))


def copy_network(model: nn.Module, shared: Mapping[int, Tensor] | None = None) -> nn.Module:
    """A copy of `model`; parameters and buffers that share memory still do so in the copy.

    shared: tensors by the id of those that they replace in the copy, such as parameters that model
    and copy have in common. Inside of torch.inference_mode the copy has ordinary tensors, too.
    """
    return _copy(model, dict(shared or {}), _Detached())


def share_parameters(model: nn.Module, replaced: Mapping[int, Tensor] | None = None) -> nn.Module:
    """A copy of `model` with its parameters, and with buffers of its own.

    replaced: by the id of a parameter, the one that stands in its place in the copy.
    """
    own = {id(parameter): parameter for parameter in model.parameters()}
    return copy_network(model, {**own, **(replaced or {})})


def copy_as_float32(model: nn.Module, wide: frozenset[torch.dtype]) -> nn.Module:
    """A copy of `model` that computes in float32 where it had tensors of the types `wide`:
    parameters, buffers, other tensors that it keeps, and attributes that name the type."""
    parameters: dict[int, Tensor] = {
        id(old): nn.Parameter(old.detach().to(torch.float32), old.requires_grad)
        for old in model.parameters()
        if old.dtype in wide
    }
    copied = _copy(model, parameters, _Detached(wide))
    for part in copied.modules():
        for name, value in vars(part).items():
            if isinstance(value, torch.dtype) and value in wide:
                setattr(part, name, torch.float32)
    return copied


def _copy(model: nn.Module, memo: dict[int, Any], mode: _Detached) -> nn.Module:
    with torch.inference_mode(False), torch.no_grad(), mode:
        return copy.deepcopy(model, memo)


def own_parameters(model: nn.Module) -> dict[int, Tensor]:
    """For each parameter, by its id, one with memory of its own and without gradients.

    Parameters that are the same memory throughout become one: their weights are tied.
    """
    made: dict[Hashable, Tensor] = {}
    return {
        id(old): made.setdefault(_place(old), nn.Parameter(_own(old), requires_grad=False))
        for old in model.parameters()
    }


def _place(tensor: Tensor) -> Hashable:
    if tensor.numel() == 0:
        return id(tensor)
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _own(tensor: Tensor) -> Tensor:
    with torch.inference_mode(False):
        return tensor.detach().clone(memory_format=torch.preserve_format)


def laid_out_as(values: Tensor, like: object) -> Tensor:
    """`values` with the strides of `like`, where that is a tensor of their shape."""
    values = values.detach()
    if not isinstance(like, Tensor) or like.shape != values.shape:
        return values.contiguous()
    laid_out = torch.empty_like(like, dtype=values.dtype, device=values.device)
    if laid_out.stride() == values.stride():
        return values
    return laid_out.copy_(values)
