"""restore(): from a stored file to the module that was evaluated."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from compress_core.entering import enter
from compress_core.entering.copying import copy_network
from compress_core.entering.tensors import named_tensors
from compress_core.methods.quantization import InputQuantizer
from compress_core.models.catalog import MODELS
from compress_core.recipe import Recipe, from_file, of_kinds
from compress_core.restoring.fitting import RestoreError, fit, has_module, key_of
from compress_core.storage.container import ContainerError, Decoded, decode
from compress_core.weights import with_weights


def restore(file: str | Path | bytes, network: nn.Module | None = None) -> nn.Module:
    """The runnable network of a stored file, in evaluation mode: the one that was evaluated.

    file: its path, or its bytes. network: a module of the original architecture; its weights may be
    any, and it is not written to. May be left out for a reference network, which the file names.
    Buffers that are not persistent are in no state dict, and so in no file: they are those of
    `network`.
    Raises ContainerError for a damaged file or one of another version, RestoreError for a network
    of another architecture (which tensors differ), OSError for a file that cannot be read.
    """
    decoded = read_stored(file)
    return restore_decoded(decoded, _reference(decoded.model) if network is None else network)


def read_stored(file: str | Path | bytes) -> Decoded:
    """The content of a stored file; a refusal names the file."""
    if isinstance(file, bytes):
        return decode(file)
    try:
        return decode(Path(file).read_bytes())
    except ContainerError as error:
        raise ContainerError(f"{file}: {error}") from error


def _reference(name: str) -> nn.Module:
    if name not in MODELS:
        raise RestoreError(
            f"the file was made of {name!r}, which is none of the reference networks "
            f"({', '.join(MODELS)}); pass a module of its architecture: restore(file, network)"
        )
    with torch.random.fork_rng():  # its first weights are drawn, and replaced
        return MODELS[name].build()


def restore_decoded(decoded: Decoded, network: nn.Module) -> nn.Module:
    """The runnable network of a file's content; see `restore`."""
    recipe, rounding = _recipe(decoded), _rounding(decoded)
    of_inputs = {key for name in rounding for key in _input_keys(name)}
    tensors = {key: t for key, t in decoded.state_dict.items() if key not in of_inputs}
    module = _private_copy(network)
    fit(module, {key: tuple(tensor.shape) for key, tensor in tensors.items()}, recipe)
    _check_tensors(module, tensors, decoded.model)
    module = _with_tensors(module, tensors)
    for name, quantizer in rounding.items():
        if not has_module(module, name):
            raise RestoreError(f"the file rounds inputs of {name}, which the network does not have")
        quantizer.attach(module.get_submodule(name))
    _check_values(module)
    return module


def _private_copy(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode, made plain as a network is that enters; its values are any."""
    if not isinstance(network, nn.Module):
        raise RestoreError(
            f"network is a {type(network).__name__}, no torch.nn.Module; pass a module of the "
            "architecture that the file was made of"
        )
    for name, tensor in named_tensors(network).items():
        if isinstance(tensor, (nn.UninitializedParameter, nn.UninitializedBuffer)):
            raise RestoreError(f"{name} of the network has no shape yet; run it once before")
    module = copy_network(network).eval().requires_grad_(False)
    tensors = named_tensors(module).values()
    if any(tensor.is_meta for tensor in tensors):  # it has no values to be made plain by
        return module
    for tensor in tensors:
        if tensor.is_floating_point():
            tensor.nan_to_num_(0, 0, 0)
    return enter(module).module


def _recipe(decoded: Decoded) -> Recipe:
    try:
        recipe = from_file(decoded.recipe)
    except ValueError as error:
        raise ContainerError(f"the file's recipe cannot be read: {error}") from error
    if of_kinds(recipe, ("activations",)) and not decoded.inputs:
        raise ContainerError(
            "the file does not tell which layers' inputs are rounded, as it is of an early "
            "release; compress the network anew"
        )
    return recipe


def _rounding(decoded: Decoded) -> dict[str, InputQuantizer]:
    """How the inputs of layers are rounded, by the module's name: a static range is in the file."""
    found = {}
    for name, bits in decoded.inputs.items():
        scale, zero_point = (decoded.rest.get(key) for key in _input_keys(name))
        if (scale is None) != (zero_point is None):
            raise ContainerError(f"{name} has an input_scale or an input_zero_point alone")
        found[name] = InputQuantizer(bits, scale, zero_point)
    return found


def _input_keys(name: str) -> tuple[str, str]:
    return key_of(name, "input_scale"), key_of(name, "input_zero_point")


def _check_tensors(module: nn.Module, tensors: Mapping[str, Tensor], model: str) -> None:
    """Raise RestoreError unless file and network have the same tensors, in the same shapes."""
    own = named_tensors(module)
    told = [f"the file has no {key}" for key in own if key not in tensors]
    for key, tensor in tensors.items():
        if key not in own and not _is_empty_buffer(module, key):
            told.append(f"the network has no {key}")
        elif key in own and own[key].shape != tensor.shape:
            ours, theirs = tuple(tensor.shape), tuple(own[key].shape)
            told.append(f"{key} is {ours} in the file and {theirs} in the network")
    if told:
        more = [f"and {len(told) - 3} more"] if len(told) > 3 else []
        raise RestoreError(
            f"the network is of another architecture than {model!r}, of which the file was made: "
            f"{'; '.join([*told[:3], *more])}; pass a network of that one"
        )


def _is_empty_buffer(module: nn.Module, key: str) -> bool:
    """Whether the network has such a buffer, which is None until something sets it."""
    owner, _, attribute = key.rpartition(".")
    return has_module(module, owner) and attribute in module.get_submodule(owner)._buffers


def _with_tensors(module: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy of `module` with these tensors; those under several keys are one tensor there, too."""
    parameters = {k: t for k, t in tensors.items() if _place(module, k)[0] == "_parameters"}
    built = with_weights(module, parameters)
    keys = {id(tensor): key for key, tensor in parameters.items()}
    for key, tensor in tensors.items():
        if key not in parameters:
            twin = keys.get(id(tensor))
            kind, owner, attribute = _place(built, key)
            getattr(owner, kind)[attribute] = built.get_parameter(twin) if twin else tensor
    return built


def _place(module: nn.Module, key: str) -> tuple[str, nn.Module, str]:
    path, _, attribute = key.rpartition(".")
    owner = module.get_submodule(path)
    return ("_parameters" if attribute in owner._parameters else "_buffers"), owner, attribute


def _check_values(module: nn.Module) -> None:
    """Raise RestoreError for a tensor without values, such as a buffer that is in no state dict and
    so in no file."""
    for name, tensor in itertools.chain(module.named_parameters(), module.named_buffers()):
        if tensor.is_meta:
            raise RestoreError(
                f"{name} is not persistent, so that the file does not hold it, and the network has "
                "no values of it, as it is on the device 'meta'; build it on the CPU"
            )
