"""A file of other people becomes a network, or weights without one. Only a sandbox calls this."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from compress_core.models.catalog import MODELS, ModelSpec, tensor_shapes
from compress_core.models.importing.files.checking import check_file
from compress_core.models.importing.files.kinds import Kind
from compress_core.models.importing.files.opening import WEIGHTS as CLEAN
from compress_core.models.importing.files.opening import weights
from compress_core.models.importing.onnx import (
    OnnxError,
    OnnxNetwork,
    compare_with_onnxruntime,
    read_onnx,
    run_once,
    seeded_inputs,
)
from compress_core.models.importing.onnx import Port as OnnxPort
from compress_core.models.importing.onnx.refusing import refusing
from compress_core.opening.facts import Port
from compress_core.shown import shown_name

CONVOLUTIONS = {3: nn.Conv1d, 4: nn.Conv2d, 5: nn.Conv3d}  # by the dimensions of their weight
SEED = 0  # of the inputs that are run beside onnxruntime
NO_NETWORK = "the file holds weights without a network around them"


@dataclass(eq=False)
class Imported:
    """What a file holds. `module` runs on `examples` unless `why_not_run` says why not; the other
    fields as in `Facts`. `spec` is the reference network whose architecture it has."""

    kind: str
    module: nn.Module
    examples: tuple[Tensor, ...] = ()
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    why_not_run: str = ""
    difference: float | None = None
    foreign: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spec: ModelSpec | None = None


def import_file(source: Path) -> Imported:
    """The network of a file, or its weights. Raises ValueError, with the remedy, for a file that
    does not open here."""
    if check_file(source) is Kind.ONNX:
        return from_onnx(source.read_bytes())
    return from_weights(weights(str(source)))


def from_onnx(raw: bytes) -> Imported:
    """An ONNX file, not compared with onnxruntime yet (see `compared`)."""
    network = read_onnx(raw)
    found = Imported(
        "onnx",
        network,
        inputs=list(map(_port, network.inputs)),
        outputs=list(map(_port, network.outputs)),
        foreign=list(network.foreign),
    )
    try:
        run_once(network)
    except OnnxError as error:
        return replace(found, why_not_run=str(error))
    return replace(found, examples=seeded_inputs(network, SEED), notes=_notes(network))


def compared(found: Imported, raw: bytes) -> Imported:
    """The same beside onnxruntime: how far apart they are, or why there are weights alone."""
    if found.why_not_run or not isinstance(found.module, OnnxNetwork):
        return found
    try:
        with refusing("it cannot be compared with onnxruntime"):
            agreement = compare_with_onnxruntime(raw, found.module, SEED)
    except OnnxError as error:
        return replace(found, why_not_run=str(error))
    if agreement.agrees:
        return replace(found, difference=agreement.fraction)
    return replace(
        found,
        why_not_run=(
            f"its answers here are {agreement.fraction:.2g} of the output's range away from "
            f"onnxruntime's, more than the {agreement.tolerance:g} that rounding explains"
        ),
    )


def _port(port: OnnxPort) -> Port:
    return Port(shown_name(port.name), str(port.dtype).removeprefix("torch."), port.shape)


def _notes(network: OnnxNetwork) -> list[str]:
    notes = []
    if network.batching == "row by row":
        notes.append("the file computes one row at a time, and so several rows take their time")
    if network.codes:
        names = ", ".join(list(network.codes)[:3])
        notes.append(f"{len(network.codes)} weights came as integers, such as {names}")
    return notes


def from_weights(read: dict[str, Any]) -> Imported:
    """Weights that `weights` has written: those of the reference network whose keys and shapes they
    have, else without a network."""
    kind = "safetensors" if read["kind"] == Kind.SAFETENSORS else "state_dict"
    tensors = load_file(CLEAN)
    notes = [f"{name} is left out: {why}" for name, why in read["left_out"]]
    notes += [
        f"{name} has {count:,} values that are NaN or infinite"
        for name, count in read["non_finite"].items()
    ]
    spec = known_architecture({key: tuple(tensor.shape) for key, tensor in tensors.items()})
    if spec is None:
        return Imported(kind, bare_network(tensors), why_not_run=NO_NETWORK, notes=notes)
    module = spec.build()
    module.load_state_dict(tensors)
    shape = list(spec.input_shape)
    return Imported(
        kind,
        module.eval(),
        (torch.zeros(1, *spec.input_shape),),
        [Port("images", "float32", (None, *shape))],
        [Port("logits", "float32", (None, None))],
        notes=[*notes, f"keys and shapes are those of {spec.name}: it runs as that network"],
        spec=spec,
    )


def known_architecture(shapes: Mapping[str, tuple[int, ...]]) -> ModelSpec | None:
    """The reference network with exactly these keys and shapes."""
    return next((spec for name, spec in MODELS.items() if tensor_shapes(name) == shapes), None)


def bare_network(tensors: Mapping[str, Tensor]) -> nn.Module:
    """Modules that hold these tensors under the same keys, for methods that look at weights alone.

    A `….weight` of two dimensions becomes a Linear, of three to five a convolution, so that it can
    be factorized; everything else is a plain parameter or buffer of a container.
    Raises ValueError for a name that no module can have, also beside the others.
    """
    root, parts = nn.Module(), _parts(tensors)
    for key, tensor in tensors.items():
        owner, _, name = key.rpartition(".")
        try:
            _container(root, owner, tensors, parts)
            _hold(root.get_submodule(owner), name, tensor)
        except (KeyError, AttributeError) as error:
            raise ValueError(
                f"the tensor {shown_name(key)} cannot have this name beside the others; names are "
                "paths of modules, such as block.0.weight: rename it"
            ) from error
    return root.eval()


Parts = Mapping[str, set[str]]  # by the path of a module: what tensors' names have in it


def _parts(keys: Iterable[str]) -> Parts:
    found: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        path, _, name = key.rpartition(".")
        while name not in found[path]:  # what is there has its owners, too
            found[path].add(name)
            path, _, name = path.rpartition(".")
            if not name:
                break
    return found


def _container(root: nn.Module, path: str, tensors: Mapping[str, Tensor], parts: Parts) -> None:
    """Make the module at `path`, and all around it, where they are not there yet."""
    if not path:
        return
    owner, _, name = path.rpartition(".")
    _container(root, owner, tensors, parts)
    parent = root.get_submodule(owner)
    if name not in parent._modules:
        parent.add_module(name, _module_for(path, tensors, parts) or nn.Module())


def _module_for(path: str, tensors: Mapping[str, Tensor], parts: Parts) -> nn.Module | None:
    """The layer that a weight at this path may be of; None where it is none that we know."""
    weight = tensors.get(f"{path}.weight")
    if weight is None or not weight.is_floating_point() or not weight.numel():
        return None
    if parts[path] - {"weight", "bias"}:
        return None
    bias = "bias" in parts[path]
    if bias and tensors[f"{path}.bias"].shape != weight.shape[:1]:
        return None
    with torch.device("meta"):
        if weight.dim() == 2:
            return nn.Linear(weight.shape[1], weight.shape[0], bias=bias)
        if weight.dim() in CONVOLUTIONS:
            out, into, *kernel = weight.shape
            return CONVOLUTIONS[weight.dim()](into, out, kernel, bias=bias)  # type: ignore[arg-type]
    return None


def _hold(module: nn.Module, name: str, tensor: Tensor) -> None:
    if tensor.is_floating_point():
        module.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
    else:
        module.register_buffer(name, tensor)
