"""Put other weights into a network: on a copy, the network itself is never written to."""

from collections.abc import Mapping

from torch import Tensor, nn

from compress_core.entering.copying import laid_out_as, share_parameters


def with_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """A copy of `model` with the parameters named in `weights` replaced.

    The other parameters are shared, buffers are not: running the copy changes none of `model`.
    Keys with the same tensor get the same parameter: tied weights stay tied. A parameter keeps the
    memory layout of the one that it replaces, which the network's forward may rely on, and stands
    wherever the network keeps that one, also in a plain list.
    """
    made: dict[int, nn.Parameter] = {}  # one for each tensor, so that tied ones stay tied
    old = dict(model.named_parameters(remove_duplicate=False))
    for key, value in weights.items():
        if id(value) not in made:
            laid_out = laid_out_as(value, old.get(key))
            made[id(value)] = nn.Parameter(laid_out, requires_grad=False)
    new = {key: made[id(value)] for key, value in weights.items()}
    copied = share_parameters(model, {id(old[key]): new[key] for key in new if key in old})
    for key, parameter in new.items():
        owner, _, attribute = key.rpartition(".")
        setattr(copied.get_submodule(owner), attribute, parameter)
    return copied


def with_tensors(model: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The same for parameters and buffers, by state-dict key."""
    names = dict(model.named_parameters(remove_duplicate=False))
    changed = with_weights(model, {key: t for key, t in tensors.items() if key in names})
    for key, tensor in tensors.items():
        if key not in names:
            owner, _, attribute = key.rpartition(".")
            setattr(changed.get_submodule(owner), attribute, tensor)
    return changed
