"""The files that a compressed model leaves as: what each holds, and how it is made.

A file of the recipe holds its values. The three files of fixed widths (int8, int4, int8 with
calibrated inputs) are quantized for themselves: of a recipe that has codes already, they are made
of what it does without them, because rounding twice would lose accuracy twice.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Literal

import torch
from torch import Tensor

from compress_core.compressed import Compressed, compress
from compress_core.methods.quantization import Quantize, QuantizeActivations
from compress_core.recipe import Recipe, format_recipe, to_json, without_kinds
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer

Form = Literal["onnx", "stored", "safetensors", "state_dict", "text"]  # who reads it

# Kinds of steps that put codes in the place of floats, or repair what codes did.
CODING = ("quantize", "share", "correct", "rest", "activations")
BLOCK = 32  # weights that share a scale at 4 bits


def _never(_compressed: Compressed) -> None:
    return None


@dataclass(frozen=True)
class Export:
    """A kind of file.

    `name` stands in JSON, `ending` follows the model's name in the file's, `form` says who reads
    it. `make` gives the file's bytes; it raises ValueError with the reason where that is
    impossible. `refusal` is such a reason if it is known at once, else None. `requantizes`: it is
    quantized for itself, of what the recipe does without codes. `calibrates`: it looks at training
    images. wording/exports.py has the texts.
    """

    name: str
    ending: str
    form: Form
    make: Callable[[Compressed], bytes]
    refusal: Callable[[Compressed], str | None] = _never
    requantizes: bool = False
    calibrates: bool = False

    def file_name(self, model: str) -> str:
        """What the file of a model is called: "digits-cnn.int8.onnx"."""
        return f"{model}{self.ending}"


def make_file(export: Export, compressed: Compressed) -> bytes:
    """The bytes of the file, made where the network may run. Raises ValueError with the reason
    where that is impossible."""
    elsewhere = compressed.original.elsewhere
    if elsewhere and export.form == "onnx":
        return elsewhere.exported(format_recipe(compressed.recipe), export.name)
    return export.make(compressed)


def leaves_codes_out(export: Export, recipe: Recipe) -> bool:
    """Whether the file is of another recipe than this: of its `float_part`."""
    return export.requantizes and float_part(recipe) != recipe


def float_part(recipe: Recipe) -> Recipe:
    """A recipe without the steps that code or round, and without what is trained after them."""
    left = without_kinds(recipe, CODING)
    return left if left == recipe else float_part(left)


def as_floats(compressed: Compressed) -> Compressed:
    """The same values without codes, and inputs that are not rounded."""
    if not compressed.acts:
        return compressed
    last, network = compressed.acts[-1], compressed.network
    layers = {name: _floats_of(stored) for name, stored in network.layers.items()}
    plain = replace(last, before=network, after=replace(network, layers=layers))
    return replace(compressed, acts=(*compressed.acts, plain))


def _floats_of(stored: StoredLayer) -> StoredLayer:
    weights = tuple(StoredWeight(w.profile, transposed=w.transposed) for w in stored.weights)
    return replace(stored, key=(*stored.key, "floats"), weights=weights, inputs=None)


def own_tensors(compressed: Compressed) -> dict[str, Tensor]:
    """The state dict of the network's own code, float32; inputs that are rounded leave no trace.

    Of a factorized layer there are the factors, under L.0.weight and L.1.weight.
    """
    return dict(compressed.network.weights_module.state_dict())


def _original_onnx(compressed: Compressed) -> bytes:
    return _onnx(compress(compressed.original, ()))


def _onnx(compressed: Compressed) -> bytes:
    from compress_core.graph import to_onnx  # half a second of import, only for the graph

    return to_onnx(compressed)


def _requantized(*steps: Quantize | QuantizeActivations) -> Callable[[Compressed], bytes]:
    def make(compressed: Compressed) -> bytes:
        recipe = (*float_part(compressed.recipe), *steps)
        return _onnx(compress(compressed.original, recipe))

    return make


def _dense(compressed: Compressed) -> bytes:
    from safetensors.torch import save

    twins = {twin for twins in compressed.tied.values() for twin in twins}
    tensors = own_tensors(compressed)
    # cloned: buffers may be views of each other, and a file holds no shared memory
    return save({key: t.clone().contiguous() for key, t in tensors.items() if key not in twins})


def _state_dict(compressed: Compressed) -> bytes:
    buffer = BytesIO()
    torch.save(own_tensors(compressed), buffer)
    return buffer.getvalue()


def _recipe(compressed: Compressed) -> bytes:
    return json.dumps(to_json(compressed.recipe), indent=2).encode()


def _codes_nothing(compressed: Compressed) -> str | None:
    layers = compressed.layers.values()
    if any(w.codes for stored in layers for w in stored.weights) or any(s.inputs for s in layers):
        return None
    return "the recipe has no codes, so this would be the ONNX fp32 file once more"


def _has_no_calibration(compressed: Compressed) -> str | None:
    if compressed.original.calibration is not None or compressed.original.elsewhere:
        return None
    return (
        f"{compressed.original.name} came without training data, on which the ranges of the "
        "inputs are measured; give it some, or take the ONNX file with int8 weights"
    )


EXPORTS = (
    Export("original", ".original.onnx", "onnx", _original_onnx),
    Export("stored", ".cx", "stored", lambda compressed: compressed.container),
    Export(
        "readable",
        ".compressed.safetensors",
        "stored",
        lambda compressed: compressed.readable.raw,
    ),
    Export("onnx", ".onnx", "onnx", _onnx, _codes_nothing),
    Export("onnx_fp32", ".fp32.onnx", "onnx", lambda compressed: _onnx(as_floats(compressed))),
    Export(
        "onnx_int8_weights",
        ".int8-weights.onnx",
        "onnx",
        _requantized(Quantize(bits=8)),
        requantizes=True,
    ),
    Export(
        "onnx_int4_weights",
        ".int4-weights.onnx",
        "onnx",
        _requantized(Quantize(bits=4, granularity="group", group_size=BLOCK)),
        requantizes=True,
    ),
    Export(
        "onnx_int8",
        ".int8.onnx",
        "onnx",
        _requantized(Quantize(bits=8), QuantizeActivations(bits=8)),
        _has_no_calibration,
        requantizes=True,
        calibrates=True,
    ),
    Export("dense", ".dense.safetensors", "safetensors", _dense),
    Export("state_dict", ".pt", "state_dict", _state_dict),
    Export("recipe", ".recipe.json", "text", _recipe),
)
BY_NAME = {export.name: export for export in EXPORTS}
