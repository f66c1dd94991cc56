"""A network without its forward: the layers and tensors of one that was opened in a sandbox.

The child describes the modules (`describe_modules`), this process builds the same ones anew from
the description, which holds numbers and names alone (`build_skeleton`).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

CONVOLUTION = ("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation")
GROUPED = (*CONVOLUTION, "groups", "padding_mode")
RECURRENT = ("input_size", "hidden_size", "num_layers", "batch_first", "bidirectional")
NORM = ("num_features", "eps", "momentum", "affine", "track_running_stats")
# The modules that steps look at, and what makes one; every other module is a bare container.
SETTINGS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features"),
    nn.Conv1d: GROUPED,
    nn.Conv2d: GROUPED,
    nn.Conv3d: GROUPED,
    nn.ConvTranspose1d: (*GROUPED, "output_padding"),
    nn.ConvTranspose2d: (*GROUPED, "output_padding"),
    nn.ConvTranspose3d: (*GROUPED, "output_padding"),
    nn.Embedding: ("num_embeddings", "embedding_dim", "padding_idx"),
    nn.RNN: (*RECURRENT, "nonlinearity"),
    nn.LSTM: RECURRENT,
    nn.GRU: RECURRENT,
    nn.BatchNorm1d: NORM,
    nn.BatchNorm2d: NORM,
    nn.BatchNorm3d: NORM,
    nn.InstanceNorm1d: NORM,
    nn.InstanceNorm2d: NORM,
    nn.InstanceNorm3d: NORM,
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.GroupNorm: ("num_groups", "num_channels", "eps", "affine"),
}
BY_NAME = {kind.__name__: kind for kind in SETTINGS}
BIASED = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase, nn.LayerNorm)
MOST_MODULES = 50_000
MOST_DEEP = 64  # layers of a recurrent module


class Skeleton(nn.Module):
    """The modules and tensors of a network that runs elsewhere."""

    def forward(self, *_inputs: Tensor) -> Tensor:
        raise ValueError(
            "this network is somebody else's and is not run in this process; choose steps that "
            "look at the weights alone, or start with --model, which trusts a network"
        )


def describe_modules(network: nn.Module) -> list[dict[str, Any]]:
    """Each module of a network by its path, JSON-ready: {"path": "conv1", "kind": "Conv2d",
    "settings": {…}}; a module of another kind is a container, {"path": …}."""
    return [_described(path, module) for path, module in network.named_modules() if path]


def _described(path: str, module: nn.Module) -> dict[str, Any]:
    kind = type(module)
    if kind not in SETTINGS:
        return {"path": path}
    settings = {name: getattr(module, name) for name in SETTINGS[kind]}
    if isinstance(module, BIASED):
        bias = module.bias
        settings["bias"] = bias if isinstance(bias, bool) else bias is not None
    return {"path": path, "kind": kind.__name__, "settings": settings}


def build_skeleton(
    described: list[dict[str, Any]], tensors: Mapping[str, Tensor], parameters: set[str]
) -> Skeleton:
    """The described modules with these tensors, by state-dict key; those named in `parameters` are
    parameters, the others buffers. Equal tensors of several keys are tied by `tied` before.

    Raises ValueError where description and tensors do not belong together.
    """
    if len(described) > MOST_MODULES:
        raise ValueError(f"{len(described):,} modules are more than {MOST_MODULES:,}")
    skeleton = Skeleton()
    with torch.device("meta"):
        for entry in described:
            _place(skeleton, entry["path"], _made(entry))
    made: dict[int, nn.Parameter] = {}  # a tensor under several keys is one parameter
    for key, tensor in tensors.items():
        _set(skeleton, key, tensor, is_parameter=key in parameters, made=made)
    lacking = [key for key, tensor in skeleton.state_dict().items() if tensor.is_meta]
    if lacking:
        raise ValueError(f"the network has no values for {', '.join(lacking[:3])}; open it again")
    return skeleton.eval()


def _made(entry: dict[str, Any]) -> nn.Module:
    if "kind" not in entry:
        return nn.Module()
    kind = BY_NAME[entry["kind"]]
    settings: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in entry["settings"].items()
    }
    known = settings.keys() <= {*SETTINGS[kind], "bias"}
    if not known or settings.get("num_layers", 1) > MOST_DEEP:
        raise ValueError(f"{str(entry['path'])[:80]} has settings that are none; open it again")
    return kind(**settings)


def _place(root: nn.Module, path: str, module: nn.Module) -> None:
    owner, _, name = path.rpartition(".")
    root.get_submodule(owner).add_module(name, module)


def _set(
    root: nn.Module,
    key: str,
    tensor: Tensor,
    *,
    is_parameter: bool,
    made: dict[int, nn.Parameter],
) -> None:
    path, _, name = key.rpartition(".")
    owner = root.get_submodule(path)
    declared = owner._parameters.get(name, owner._buffers.get(name))
    if declared is not None and declared.shape != tensor.shape:
        raise ValueError(
            f"{key} is {tuple(tensor.shape)} and its module takes {tuple(declared.shape)}; open "
            "the file again"
        )
    if not is_parameter:
        owner.register_buffer(name, tensor)
        return
    found = made.setdefault(id(tensor), nn.Parameter(tensor, requires_grad=False))
    owner.register_parameter(name, found)
