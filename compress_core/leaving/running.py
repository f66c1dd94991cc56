"""Files as networks that run: each is read as somebody who gets it would read it."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compress_core.compressed import Compressed
from compress_core.entering.copying import copy_network
from compress_core.inputs import Inputs, call, count_rows, named_outputs, pick_output, take_rows
from compress_core.leaving.exports import Form
from compress_core.measurement.cost import open_session
from compress_core.original import Original
from compress_core.restoring import read_stored, restore_decoded

NUMPY_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(int16)": np.int16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


class OnnxNetwork(nn.Module):
    """An ONNX file that onnxruntime runs on one thread; it gives out a tuple of all outputs.

    Inputs are taken in the file's order, whatever their names, and converted to its types. A file
    for a fixed batch gets batches of that size, the last one filled up.
    Raises ValueError for a file that is no valid ONNX, or that onnxruntime does not run.
    """

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        check_onnx(raw)
        try:
            self.session = open_session(raw)
        except Exception as error:  # onnxruntime has no list of all that it raises
            raise _not_run(error) from error
        self.wanted = self.session.get_inputs()
        self.eval()

    def __deepcopy__(self, _memo: dict[int, Any]) -> "OnnxNetwork":
        return self  # running it changes nothing

    @property
    def batch(self) -> int | None:
        """How many rows the file takes at a time; None for any number."""
        shape = self.wanted[0].shape
        return shape[0] if shape and isinstance(shape[0], int) else None

    def forward(self, *inputs: Tensor) -> tuple[Any, ...]:
        rows = count_rows(inputs)
        if self.batch in (None, rows):
            return self._run(inputs)
        parts = [self._run(filled) for filled in _filled_batches(inputs, self.batch or rows)]
        return tuple(torch.cat(outputs)[:rows] for outputs in zip(*parts, strict=True))

    def _run(self, inputs: Inputs) -> tuple[Any, ...]:
        feed = {
            wanted.name: tensor.numpy().astype(_numpy_type(wanted), copy=False)
            for wanted, tensor in zip(self.wanted, inputs, strict=True)
        }
        try:
            outputs = self.session.run(None, feed)
        except Exception as error:  # as above
            raise _not_run(error) from error
        return tuple(map(_as_tensor, outputs))


def check_onnx(raw: bytes) -> None:
    """Raise ValueError where onnx.checker finds a file invalid."""
    import onnx  # half a second of import

    try:
        onnx.checker.check_model(raw)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"onnx.checker finds the file invalid ({reason}); report it") from error


def _not_run(error: Exception) -> ValueError:
    reason = str(error).strip().partition("\n")[0]
    return ValueError(f"onnxruntime does not run the file ({reason}); take another form")


def _filled_batches(inputs: Inputs, batch: int) -> Iterator[Inputs]:
    """Batches of `batch` rows; the last row fills the last batch up."""
    rows = count_rows(inputs)
    for start in range(0, rows, batch):
        yield take_rows(inputs, torch.arange(start, start + batch).clamp(max=rows - 1))


def _numpy_type(wanted: Any) -> type[np.generic]:
    if wanted.type not in NUMPY_TYPES:
        raise ValueError(
            f"the file's input {wanted.name} is {wanted.type}, which no data here can be; "
            f"it must be one of {', '.join(NUMPY_TYPES)}"
        )
    return NUMPY_TYPES[wanted.type]


def _as_tensor(output: Any) -> Any:
    """An output as a tensor; sequences and maps stay as they are. Half precision is float32."""
    if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiub":
        return output
    tensor = torch.from_numpy(output)
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def place_of_output(original: Original) -> int:
    """The place, among all that the network gives out, of the output that counts."""
    with torch.inference_mode():
        given = call(copy_network(original.pristine), original.examples)
    if isinstance(given, Tensor):
        return 0
    counted, parts = pick_output(given, original.task.output), named_outputs(given)
    return next(n for n, part in parts.items() if isinstance(n, int) and part is counted)


def run_onnx(raw: bytes, _compressed: Compressed) -> nn.Module:
    return OnnxNetwork(raw)


def restore_file(raw: bytes, compressed: Compressed) -> nn.Module:
    return restore_decoded(read_stored(raw), compressed.original.pristine)


def load_safetensors(raw: bytes, compressed: Compressed) -> nn.Module:
    from safetensors.torch import load

    return _with_tensors(compressed, load(raw))


def load_state_dict(raw: bytes, compressed: Compressed) -> nn.Module:
    return _with_tensors(compressed, torch.load(BytesIO(raw), weights_only=True))


def _with_tensors(compressed: Compressed, tensors: dict[str, Tensor]) -> nn.Module:
    """The network's code with the tensors of a file; a tied weight may stand in it once."""
    module = copy_network(compressed.network.weights_module)
    twins = {twin for twins in compressed.tied.values() for twin in twins}
    found = module.load_state_dict(tensors, strict=False)
    lacking = set(found.missing_keys) - twins
    assert not lacking, f"our own file lacks {sorted(lacking)}"
    assert not found.unexpected_keys, f"our own file has {found.unexpected_keys} besides"
    return module


# Who reads a form of file, as a network to run; nobody runs a text.
READERS: dict[Form, Callable[[bytes, Compressed], nn.Module]] = {
    "onnx": run_onnx,
    "stored": restore_file,
    "safetensors": load_safetensors,
    "state_dict": load_state_dict,
}
