"""A network's digest: the key of its results, since two networks may have the same name."""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


def network_digest(module: nn.Module, examples: Sequence[Tensor]) -> str:
    """sha256, as hexadecimal digits, of all that a network computes with.

    These are the classes and settings of its parts, the names, types, shapes and bytes of its
    state, and the shape and type of each input in `examples`. Where the code of a class changes and
    its name does not, the digest stays.
    """
    found = hashlib.sha256()
    for name, part in module.named_modules():
        kind = f"{type(part).__module__}.{type(part).__qualname__}"
        found.update(repr((name, kind, part.extra_repr())).encode())
    for name, tensor in module.state_dict().items():
        found.update(repr((name, str(tensor.dtype), tuple(tensor.shape))).encode())
        found.update(_bytes_of(tensor))
    for example in examples:
        found.update(repr((str(example.dtype), tuple(example.shape))).encode())
    return found.hexdigest()


def tensors_digest(tensors: Iterable[Tensor]) -> str:
    """sha256, as hexadecimal digits, of the types, shapes and bytes of tensors."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(repr((str(tensor.dtype), tuple(tensor.shape))).encode())
        found.update(_bytes_of(tensor))
    return found.hexdigest()


def _bytes_of(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
