"""Weights from a file into a network: every name and shape must fit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

STATE_DICTS = (".pt", ".pth", ".th", ".bin")
WRAPPERS = ("state_dict", "model_state_dict", "model")  # what training scripts put around one
PARALLEL = "module."  # torch.nn.DataParallel puts it before each name
SHOWN = 3


def load_weights(module: nn.Module, path: Path) -> None:
    """Fill `module`, which was built for this, with the tensors of a safetensors file or a state
    dict. Raises ValueError for another file, for names that are missing or too many, and shapes
    that differ."""
    tensors = read_tensors(path)
    own = module.state_dict()
    if all(key.startswith(PARALLEL) for key in tensors) and not any(key in own for key in tensors):
        tensors = {key.removeprefix(PARALLEL): tensor for key, tensor in tensors.items()}
    told = _differences(own, tensors)
    if told:
        more = [f"and {len(told) - SHOWN} more"] if len(told) > SHOWN else []
        raise ValueError(
            f"{path.name} does not fit {type(module).__name__}: "
            f"{'; '.join([*told[:SHOWN], *more])}; pass weights of this architecture"
        )
    module.load_state_dict({**own, **tensors})


def _differences(own: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    """Tied weights are stored once in safetensors: a missing name is none where its tensor has
    another name that is there."""
    filled = {own[key].data_ptr() for key in tensors if key in own}
    told = [
        f"it has no {key}"
        for key, tensor in own.items()
        if key not in tensors and not (tensor.numel() and tensor.data_ptr() in filled)
    ]
    told += [f"{key} is not in the network" for key in tensors if key not in own]
    for key, tensor in tensors.items():
        if key in own and own[key].shape != tensor.shape:
            there, here = tuple(tensor.shape), tuple(own[key].shape)
            told.append(f"{key} is {there} in the file and {here} in the network")
    return told


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file or a state dict, by name."""
    kind = path.suffix.lower()
    if not path.is_file():
        raise ValueError(f"{path} is not there; pass a file of weights with --weights")
    if kind == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path.name} is no safetensors file ({error})") from error
    if kind not in STATE_DICTS:
        raise ValueError(
            f"{path.name} is no file of weights; pass .safetensors, or a state dict "
            f"({', '.join(STATE_DICTS)})"
        )
    return _state_dict(path)


def _state_dict(path: Path) -> dict[str, Tensor]:
    """weights_only: a pickle that would run code is refused, from whomever it is."""
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle's and zip's errors are of many kinds
        raise ValueError(
            f"{path.name} is no plain state dict ({type(error).__name__}); save one with "
            "torch.save(network.state_dict(), file), or safetensors.torch.save_model(network, file)"
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    if not isinstance(found, Mapping) or not all(isinstance(t, Tensor) for t in found.values()):
        raise ValueError(
            f"{path.name} holds a {type(found).__name__}, no tensors by name; save "
            "network.state_dict()"
        )
    return {str(key): tensor for key, tensor in found.items()}
