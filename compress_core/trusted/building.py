"""Who a model's name stands for: own code, an ONNX file, a Hugging Face folder, a reference
network; built, with an input where that is known."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress_core.entering.copying import copy_network
from compress_core.inputs import Inputs, call, make_examples
from compress_core.models.catalog import MODELS
from compress_core.models.checkpoints import load_network
from compress_core.original import Original
from compress_core.trusted.code import HOW, call_code, is_code
from compress_core.trusted.weights import load_weights

IMPORTER = "compress_core.models.importing.onnx"
EXAMPLES = ("example_input_array", "example_inputs", "example")
CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class Built:
    """A network, or an Original that somebody's factory made; `example` is an input (1, …)."""

    module: nn.Module
    example: Inputs | None = None
    original: Original | None = None


def build(model: str, weights: Path | None, folder: Path) -> Built:
    """The network called `model`, with these weights, in evaluation mode: it was built for us.

    Raises ValueError for a name that stands for nothing, code that raises, weights that do not fit.
    """
    if model in MODELS:
        built = _reference(model, weights)
    elif is_code(model):
        built = _by_code(model, folder)
    elif model.lower().endswith(".onnx"):
        built = _onnx(folder / model, weights)
    elif (folder / model / CONFIG).is_file():
        built = _hugging_face(folder / model)
    else:
        raise ValueError(
            f"--model {model} is no model: {HOW}, or name an .onnx file, a Hugging Face folder "
            f"({CONFIG} and safetensors), or one of {', '.join(MODELS)}"
        )
    if weights is not None:
        if built.original is not None:
            raise ValueError(f"{model} gives an Original, which has its weights; leave out yours")
        load_weights(built.module, weights)
    built.module.eval()
    return built


def _reference(name: str, weights: Path | None) -> Built:
    example = torch.zeros(1, *MODELS[name].input_shape)
    if weights is None:
        return Built(load_network(name), example)
    with torch.random.fork_rng():  # its first weights are drawn, and replaced
        return Built(MODELS[name].build(), example)


def _by_code(model: str, folder: Path) -> Built:
    made = call_code(model, folder)
    if isinstance(made, Original):
        return Built(made.pristine, made.examples, made)
    module, example = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"{model} returned a {type(made).__name__}; let it return a torch.nn.Module, an "
            "Original, or (module, example input)"
        )
    return Built(module, _as_inputs(example) if example is not None else own_example(module))


def own_example(module: nn.Module) -> Inputs | None:
    """An input that the network itself names, as Lightning's modules do."""
    for name in EXAMPLES:
        found = getattr(module, name, None)
        if isinstance(found, Tensor | tuple | list | Mapping):
            return _as_inputs(found)
    return None


def _as_inputs(example: Any) -> Inputs:
    if isinstance(example, Tensor):
        return example
    parts = tuple(example.values() if isinstance(example, Mapping) else example)
    if not parts or not all(isinstance(part, Tensor) for part in parts):
        raise ValueError(
            f"the example input is a {type(example).__name__} of other things than tensors; give "
            "a tensor (1, …), or a tuple of one for each input"
        )
    return parts


def _onnx(path: Path, weights: Path | None) -> Built:
    if weights is not None:
        raise ValueError(f"{path.name} has its weights; leave out --weights {weights.name}")
    if not path.is_file():
        raise ValueError(f"{path} is not there; pass the path of an .onnx file")
    try:
        importer = importlib.import_module(IMPORTER)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{path.name} cannot be opened, as {error.name} is not installed; install it"
        ) from error
    network = importer.import_onnx(path.read_bytes())
    return Built(network, tuple(importer.seeded_inputs(network, seed=0, rows=1)))


def _hugging_face(folder: Path) -> Built:
    """The network of a folder by its own package, from the folder alone, and from safetensors
    alone: other files of weights are pickles."""
    try:
        package = importlib.import_module("transformers")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{folder.name} is a Hugging Face folder, which its package opens: pip install "
            "transformers; or export the network to ONNX and pass that file"
        ) from error
    names = json.loads((folder / CONFIG).read_text()).get("architectures") or [""]
    kind = getattr(package, str(names[0]), None)
    if kind is None:
        raise ValueError(
            f"{folder.name}/{CONFIG} names the architecture {names[0]!r}, which this version of "
            "transformers does not have; install one that has it"
        )
    try:
        module = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except Exception as error:  # whatever the package raises
        raise ValueError(
            f"transformers cannot open {folder.name} ({type(error).__name__}: "
            f"{str(error).splitlines()[0]}); it needs {CONFIG} and model.safetensors"
        ) from error
    dummy = getattr(module, "dummy_inputs", None)
    first = next(iter(dummy.values())) if isinstance(dummy, Mapping) and dummy else None
    return Built(module, first[:1] if isinstance(first, Tensor) else None)


def parse_shapes(text: str) -> tuple[Tensor, ...]:
    """Inputs (1, …) of zeros from a text: 3,32,32 or 16:int64, and of several inputs
    16:int64;16:int64. Raises ValueError for another text."""
    parts = [part.partition(":") for part in text.split(";")]
    try:
        shapes = tuple(tuple(int(size) for size in sizes.split(",")) for sizes, _, _ in parts)
        dtypes = tuple(getattr(torch, kind.strip() or "float32") for _, _, kind in parts)
        if not all(isinstance(dtype, torch.dtype) for dtype in dtypes):
            raise ValueError(dtypes)
        return make_examples(shapes, dtypes, None)
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"--input-shape {text} is no shape; give one input's sizes without the batch, 3,32,32, "
            "its type where that is no float, 16:int64, and a semicolon between several inputs"
        ) from error


def vocabulary(module: nn.Module, examples: tuple[Tensor, ...]) -> int:
    """Tokens that the network knows: the rows of the first table that looks inputs up; 2 where
    none does."""
    private = copy_network(module)
    rows: list[int] = []

    def watch(table: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if inputs and any(inputs[0].shape == example.shape for example in examples):
            rows.append(len(table.get_parameter("weight")))

    for part in private.modules():
        if isinstance(part, nn.Embedding):
            part.register_forward_pre_hook(watch)
    with torch.inference_mode():
        call(private, examples)
    return rows[0] if rows else 2
