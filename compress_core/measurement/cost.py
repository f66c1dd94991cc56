"""What a forward pass costs: multiply-accumulates counted by hooks, latency by the clock."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from compress_core.inputs import Inputs, call, count_rows, each
from compress_core.original import Original
from compress_core.weights import with_weights

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
COUNTED = (
    nn.Linear,
    nn.Bilinear,
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *TRANSPOSED,
    nn.MultiheadAttention,
    *(nn.RNNBase, nn.RNNCellBase),
)
TURN = 10  # passes of one model before the next has its turn


@dataclass(frozen=True)
class Latency:
    """Time of one forward pass of one input in onnxruntime, one thread, over `runs` runs."""

    latency_ms_p50: float
    latency_ms_p95: float
    runs: int


def layer_macs(model: nn.Module, example: Inputs) -> dict[str, int]:
    """Multiply-accumulates of one forward pass by module path, for inputs like `example`.

    Counted are the weight layers (Linear, Bilinear, convolutions, MultiheadAttention's
    projections), each output value costing as many as a row of the weight has entries; of a
    transposed convolution each input value. A recurrent module multiplies with each of its weights
    once a time step; these are named by their keys. An embedding multiplies nothing. What the
    network's own code does with a bare parameter is not counted, nor is the product of queries and
    keys, which has no weight.
    """
    macs: dict[str, int] = {}
    model = with_weights(model, {})  # hooks on a private copy: others may be running the model

    def count(path: str) -> Any:
        def hook(module: nn.Module, inputs: Any, named: dict[str, Any], output: Any) -> None:
            named_inputs = (named[name] for name in ("query", "key", "value") if name in named)
            tensors = (*inputs, *named_inputs)
            for name, count in _macs(path, module, tensors, output).items():
                macs[name] = macs.get(name, 0) + count // count_rows(example)

        return hook

    for path, module in model.named_modules():
        if isinstance(module, COUNTED):
            module.register_forward_hook(count(path), with_kwargs=True)
    with torch.inference_mode():
        call(model, example)
    return macs


def _macs(path: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> dict[str, int]:
    if isinstance(module, nn.MultiheadAttention):  # it reads out_proj's weight, never calls it
        tokens = [tensor.numel() // tensor.shape[-1] for tensor in inputs[:3]]
        widths = (module.embed_dim, module.kdim, module.vdim)
        projected = sum(n * width for n, width in zip(tokens, widths, strict=True))
        out = f"{path}.out_proj".lstrip(".")
        return {path: projected * module.embed_dim, out: tokens[0] * module.embed_dim**2}
    if isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return _recurrent_macs(path, module, inputs[0])
    weight = module.weight
    assert isinstance(weight, Tensor)
    values = inputs[0] if isinstance(module, TRANSPOSED) else output
    return {path: int(values.numel() * weight[0].numel())}


def _recurrent_macs(
    path: str, module: nn.RNNBase | nn.RNNCellBase, inputs: Tensor | PackedSequence
) -> dict[str, int]:
    values = inputs.data if isinstance(inputs, PackedSequence) else inputs
    steps = values.numel() // module.input_size  # of all sequences
    return {
        f"{path}.{name}".lstrip("."): steps * parameter.numel()
        for name, parameter in module.named_parameters()
        if name.startswith("weight_")
    }


def macs_by_layer(model: nn.Module, original: Original) -> dict[str, int]:
    """MACs of each compressible layer by its name; the factors of one are added up."""
    return add_up(layer_macs(model, original.examples), original)


def add_up(by_module: Mapping[str, int], original: Original) -> dict[str, int]:
    """MACs of each compressible layer out of those of each module (`layer_macs`)."""
    totals = dict.fromkeys(original.layers, 0)
    layer_at: dict[str, str] = {}  # by module path: tied layers run at several of them
    for layer in original.layers.values():
        for key in layer.tied_keys:
            several = layer.kind in {"recurrent", "parameter"}  # a module has several of them
            layer_at.setdefault(key if several else key.rpartition(".")[0], layer.name)
    for path, macs in by_module.items():
        owner, _, last = path.rpartition(".")
        name = layer_at.get(owner if last in {"0", "1", "2"} and owner in layer_at else path)
        if name:
            totals[name] += macs
    return totals


def measure_latency(onnx_model: bytes, example: Inputs, *, runs: int = 200) -> Latency:
    """Median and 95th percentile of `runs` forward passes in onnxruntime, after a warm-up."""
    (found,) = measure_latencies((onnx_model,), example, runs=runs)
    return found


def measure_latencies(
    onnx_models: Sequence[bytes], example: Inputs, *, runs: int = 200
) -> tuple[Latency, ...]:
    """The latency of each model on the same inputs, `runs` passes of each after a warm-up.

    They run in turns of TURN passes, so that whatever else the machine does slows all of them.
    """
    sessions = [open_session(model) for model in onnx_models]
    feeds = [feed_of(session, example) for session in sessions]
    times: list[list[float]] = [[] for _ in sessions]
    for session, feed in zip(sessions, feeds, strict=True):
        _time(session, feed, runs // 10 + 1)
    for start in range(0, runs, TURN):
        for session, feed, taken in zip(sessions, feeds, times, strict=True):
            taken += _time(session, feed, min(TURN, runs - start))
    percentiles = [np.percentile(np.array(taken) * 1000, [50, 95]) for taken in times]
    return tuple(Latency(float(p50), float(p95), runs) for p50, p95 in percentiles)


def feed_of(session: Any, inputs: Inputs) -> dict[str, Any]:
    """The network's inputs by the names that its graph gives them, in the same order."""
    names = [wanted.name for wanted in session.get_inputs()]
    return {name: x.numpy() for name, x in zip(names, each(inputs), strict=True)}


def open_session(onnx_model: bytes) -> Any:
    """onnxruntime's session of a file, on one thread of the processor."""
    import onnxruntime  # half a second of import, only where latency is asked for

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(onnx_model, options, providers=["CPUExecutionProvider"])


def _time(session: Any, feed: dict[str, Any], runs: int) -> list[float]:
    """Seconds of each of `runs` passes."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    return times
