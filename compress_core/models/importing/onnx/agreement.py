"""Run a network beside onnxruntime on the same inputs, and say how far apart they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import Tensor

from compress_core.models.importing.onnx.importing import build_network
from compress_core.models.importing.onnx.network import OnnxNetwork
from compress_core.models.importing.onnx.ports import Port
from compress_core.models.importing.onnx.reading import OnnxError, shorten
from compress_core.models.importing.onnx.saturation import products_saturate, with_halved_codes
from compress_core.models.importing.onnx.seeding import output_scale, seeded_inputs

TOLERANCE = 1e-4  # of the range of an output, for files that compute in float32
HALF_TOLERANCE = 2e-2  # for float16: 10 bits of mantissa, rounded after each operator
CODE_TOLERANCE = 2e-2  # where activations are rounded to codes: now and then another code


@dataclass(frozen=True)
class OutputAgreement:
    """Of one output: the largest absolute difference, and the `range` that it is measured against
    (`output_scale` of onnxruntime's). `fraction` is the one over the other."""

    name: str
    difference: float
    range: float

    @property
    def fraction(self) -> float:
        return self.difference / self.range


@dataclass(frozen=True)
class Agreement:
    """How a network compares with its file in onnxruntime. `computes_in` says in which numbers the
    file computes: "float32", "float16" or "integers"; `tolerance` is what goes with it."""

    outputs: tuple[OutputAgreement, ...]
    computes_in: str
    tolerance: float

    @property
    def difference(self) -> float:
        return max(output.difference for output in self.outputs)

    @property
    def range(self) -> float:
        """Of the output that differs most."""
        return max(self.outputs, key=lambda output: output.fraction).range

    @property
    def fraction(self) -> float:
        """The largest of all outputs."""
        return max(output.fraction for output in self.outputs)

    @property
    def agrees(self) -> bool:
        return all(output.fraction <= self.tolerance for output in self.outputs)


def compare_with_onnxruntime(
    model_bytes: bytes, network: OnnxNetwork, seed: int = 0, inputs: Sequence[Tensor] | None = None
) -> Agreement:
    """Both on the same seeded inputs of one row, or on `inputs`, rows first.

    Where onnxruntime's products of bytes saturate, files that disagree are compared once more, with
    codes of 7 bits. Raises OnnxError where onnxruntime does not load or run the file.
    """
    found = _compare_as_it_is(model_bytes, network, seed, inputs)
    halved = None
    if not found.agrees and products_saturate():
        halved = with_halved_codes(model_bytes)
    if halved is None:
        return found
    return _compare_as_it_is(halved, build_network(halved), seed, inputs)


def _compare_as_it_is(
    model_bytes: bytes, network: OnnxNetwork, seed: int, inputs: Sequence[Tensor] | None
) -> Agreement:
    given = seeded_inputs(network, seed) if inputs is None else tuple(inputs)
    with torch.no_grad():
        made = network(*given)
    own = list(made.values()) if isinstance(made, dict) else [made]
    theirs = run_onnxruntime(model_bytes, network, given)
    rows = [
        _compare(network, port, mine, other)
        for port, mine, other in zip(network.outputs, own, theirs, strict=True)
    ]
    kind, tolerance = _computes_in(network)
    return Agreement(tuple(rows), kind, tolerance)


def run_onnxruntime(
    model_bytes: bytes, network: OnnxNetwork, inputs: Sequence[Tensor]
) -> list[Tensor]:
    """The outputs of the file in onnxruntime, rows first."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model_bytes, options, providers=["CPUExecutionProvider"]
        )
        feeds = {
            port.name: _as_file(port, tensor)
            for port, tensor in zip(network.inputs, inputs, strict=True)
        }
        found = session.run([port.name for port in network.outputs], feeds)
    except Exception as error:  # onnxruntime's own classes derive from Exception alone
        raise OnnxError(
            f"onnxruntime does not run the file ({shorten(str(error), 200)}), so that nothing can "
            "be compared; see whether the file runs elsewhere"
        ) from error
    rows = len(inputs[0])
    return [
        port.to_rows(torch.from_numpy(np.array(_wide(values))), rows)
        for port, values in zip(network.outputs, found, strict=True)
    ]


def _as_file(port: Port, rows: Tensor) -> np.ndarray:
    """In the layout and the type of the file."""
    values = port.to_file(rows).to(port.dtype).contiguous().numpy()
    if port.own_type == TensorProto.BFLOAT16:
        raise OnnxError(f"onnxruntime takes no bfloat16 for {shorten(port.name)} here")
    return np.asarray(values, helper.tensor_dtype_to_np_dtype(port.own_type))


def _wide(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32) if values.dtype in (np.float16, np.float64) else values


def _compare(network: OnnxNetwork, port: Port, mine: Tensor, theirs: Tensor) -> OutputAgreement:
    if mine.shape != theirs.shape:
        raise OnnxError(
            f"the output {shorten(port.name)} has the shape {tuple(mine.shape)} here and "
            f"{tuple(theirs.shape)} in onnxruntime"
        )
    a, b = mine.double(), theirs.double()
    same = (a == b) | (a.isnan() & b.isnan())
    gap = torch.where(same, torch.zeros_like(a), (a - b).abs())
    largest = float(gap.max()) if gap.numel() else 0.0
    return OutputAgreement(port.name, largest, output_scale(network, port.name, b))


def _computes_in(network: OnnxNetwork) -> tuple[str, float]:
    halves = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    own = {torch.float16, torch.bfloat16}.intersection(network.own_types.values())
    if own or halves.intersection(port.own_type for port in (*network.inputs, *network.outputs)):
        return "float16", HALF_TOLERANCE
    operators = {one.proto.op_type for one in network.program.instructions if not one.layer}
    if operators & {"QuantizeLinear", "DynamicQuantizeLinear"}:
        return "integers", CODE_TOLERANCE
    return "float32", TOLERANCE
