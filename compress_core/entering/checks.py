"""What a network must be to enter, each refusal in words with its remedy."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensor
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

LARGEST = 1e37  # beyond it, sums of two weights come near the end of float32
COMPUTED = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
QUANTIZED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse")


def unwrap(module: object) -> nn.Module:
    """The network inside of DataParallel, DistributedDataParallel and torch.compile.

    Raises ValueError for what is no nn.Module, or one whose layers cannot be seen.
    """
    while isinstance(module, WRAPPERS):
        module = module.module
    while isinstance(module, nn.Module) and "_orig_mod" in module._modules:  # torch.compile
        module = module._modules["_orig_mod"]
    if isinstance(module, nn.Module):
        _check_parts(module)
        return module
    if isinstance(module, torch.export.ExportedProgram):
        raise ValueError(
            "an ExportedProgram has no layers any more; pass the nn.Module that was exported"
        )
    raise ValueError(f"{_shown(module)} is no network; pass an nn.Module, such as model.eval()")


def _shown(value: object) -> str:
    kind = type(value).__name__
    if isinstance(value, dict):
        return f"a {kind} (a state dict, without the network around it)"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {kind}"


def _check_parts(module: nn.Module) -> None:
    for path, part in module.named_modules():
        where = f"its part {path}" if path else "the network"
        if isinstance(part, torch.jit.ScriptModule):
            raise ValueError(
                f"{where} is a TorchScript module ({type(part).__name__}), whose layers cannot be "
                "replaced; pass the nn.Module that it was scripted or traced from"
            )
        if isinstance(part, WRAPPERS):
            raise ValueError(
                f"{where} is wrapped in {type(part).__name__}; put its .module in its place"
            )
        if type(part).__module__.startswith(QUANTIZED):
            raise ValueError(
                f"{where} ({type(part).__name__}) is quantized already; pass the network in "
                "floating point, as it was before torch.ao.quantization"
            )
        if isinstance(part, torch.fx.GraphModule) and _is_exported(part):
            raise ValueError(
                f"{where} is a graph from torch.export, without layers; pass the nn.Module that "
                "was exported"
            )


def _is_exported(graph_module: torch.fx.GraphModule) -> bool:
    """Whether its layers have become plain functions of their parameters."""
    called = (node.target for node in graph_module.graph.nodes if node.op == "call_module")
    parts = (graph_module.get_submodule(name) for name in called)
    layers = any(next(part.parameters(), None) is not None for part in parts)
    return not layers and next(graph_module.parameters(), None) is not None


def check_mode(module: nn.Module) -> None:
    """Raise ValueError unless all parts are in evaluation mode."""
    if any(part.training for part in module.modules()):
        raise ValueError("the model, or a part of it, is in training mode; pass model.eval()")


def check_tensors(module: nn.Module) -> None:
    """Raise ValueError for a parameter or buffer that cannot be computed with or stored here."""
    for key, tensor in _tensors(module):
        for is_bad, says in TENSOR_RULES:
            if is_bad(tensor):
                raise ValueError(f"{key} {says(tensor)}")
    for key, tensor in _stored_tensors(module):
        if tensor.is_complex():
            raise ValueError(
                f"{key} is complex ({tensor.dtype}), which no file of ours holds; keep it as "
                "torch.view_as_real(…), or register the buffer with persistent=False"
            )
    for key, parameter in module.named_parameters(remove_duplicate=False):
        if parameter.is_floating_point() and parameter.dtype not in COMPUTED:
            raise ValueError(
                f"{key} is {parameter.dtype}; weights are float32, float64, float16 or bfloat16: "
                "pass model.float()"
            )


# whether a tensor is refused, and why: in the order in which they are asked
TENSOR_RULES: tuple[tuple[Callable[[Tensor], bool], Callable[[Tensor], str]], ...] = (
    (
        is_lazy,
        lambda _: "has no shape yet (a lazy module); run the network once on an example first",
    ),
    (
        lambda t: t.device.type == "meta" or isinstance(t, FakeTensor),
        lambda _: (
            "is on the meta device and has no values; build the network on the CPU, or call "
            "model.to_empty(device='cpu'), and load its weights"
        ),
    ),
    (
        lambda t: t.is_quantized,
        lambda t: f"is quantized ({t.dtype}); pass the network in floating point, as it was before",
    ),
    (
        lambda t: t.is_nested,
        lambda _: "is a nested tensor; pad it (torch.nested.to_padded_tensor)",
    ),
    (
        lambda t: t.layout != torch.strided,
        lambda t: f"is sparse ({t.layout}); pass it dense: tensor.to_dense()",
    ),
    (
        is_traceable_wrapper_subclass,
        lambda t: (
            f"is a {type(t).__name__}, no plain tensor; pass the network as it was before it "
            "was converted (quantized, distributed)"
        ),
    ),
    (
        lambda t: t.device.type != "cpu",
        lambda t: f"is on {t.device}; everything is computed on the CPU here: pass model.cpu()",
    ),
)


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _stored_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters(remove_duplicate=False)
    for path, part in module.named_modules(remove_duplicate=False):
        for name, buffer in part._buffers.items():
            if buffer is not None and name not in part._non_persistent_buffers_set:
                yield f"{path}.{name}".lstrip("."), buffer


def check_values(module: nn.Module) -> None:
    """Raise ValueError for NaN anywhere, and for infinite parameters or statistics of a norm.

    Other buffers may hold infinities: masks of attention are made of them.
    """
    for key, tensor in _tensors(module):
        if tensor.is_floating_point() and bool(tensor.isnan().any()):
            raise ValueError(_bad(key, tensor, tensor.isnan(), "NaN"))
    for key, tensor in [*module.named_parameters(remove_duplicate=False), *_statistics(module)]:
        if tensor.is_floating_point():
            bad = ~(tensor.abs() < LARGEST)
            if bool(bad.any()):
                raise ValueError(
                    _bad(key, tensor, bad, f"infinite values (or beyond ±{LARGEST:g})")
                )


def _statistics(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for path, part in module.named_modules(remove_duplicate=False):
        if isinstance(part, _NormBase):
            for name, buffer in part.named_buffers(recurse=False):
                yield f"{path}.{name}".lstrip("."), buffer


def _bad(key: str, tensor: Tensor, bad: Tensor, what: str) -> str:
    return (
        f"{key} holds {int(bad.sum())} {what} of {tensor.numel()}; everything that is computed "
        "with must be finite: load a checkpoint that did not diverge"
    )


def uncopied_attribute(module: nn.Module, copies: Callable[[Any], Any]) -> str:
    """The name of the first attribute that `copies` fails on; "" where there is none."""
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if name not in {"_parameters", "_buffers", "_modules"}:
                try:
                    copies(value)
                except Exception:  # whatever objects of other people raise
                    return f"{path}.{name}".lstrip(".")
    return ""


def check_runs(module: nn.Module, examples: tuple[Tensor, ...]) -> None:
    """Raise ValueError where a network whose weights became float32 casts to another type itself.

    `module` is run, which may change its buffers: pass a private copy.
    """
    try:
        with torch.inference_mode():
            module(*examples)
    except RuntimeError as error:
        if "type" not in str(error):
            return  # another kind of error: it is reported where the network is measured
        raise ValueError(
            f"the network does not run in float32 ({error}); its forward casts to another type: "
            "leave that out, and pass model.float()"
        ) from error
