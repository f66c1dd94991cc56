"""Put other weights into a network: on a copy, the network itself is never written to."""

from collections.abc import Mapping

from torch import Tensor, nn

from compress_core.entering.copying import laid_out_as, share_parameters


def with_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> nn.Module:
    """A copy of `model` with the parameters named in `weights` replaced.

    The other parameters are shared, buffers are not: running the copy changes none of `model`.
    Keys with the same tensor get the same parameter: tied weights stay tied. A parameter keeps the
    memory layout of the one that it replaces, which the network's forward may rely on.
    """
    copied = share_parameters(model)
    parameters: dict[int, nn.Parameter] = {}  # one for each tensor, so that tied ones stay tied
    for key, value in weights.items():
        owner, _, attribute = key.rpartition(".")
        module = copied.get_submodule(owner)
        if id(value) not in parameters:
            laid_out = laid_out_as(value, getattr(module, attribute, None))
            parameters[id(value)] = nn.Parameter(laid_out, requires_grad=False)
        setattr(module, attribute, parameters[id(value)])
    return copied
