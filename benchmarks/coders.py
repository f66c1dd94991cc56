"""The coders of symbols against the entropy of their model, packing, and NNCodec's DeepCABAC.

The peer is optional: `pip install --no-deps --no-build-isolation nncodec` builds it (it wants
pybind11), PYTHONPATH may say where. Its package needs much else, so its extension alone is loaded.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import duration, timed
from compress_core import Original, Prune, Quantize, Recipe, compress
from compress_core.command_line.console import print_table
from compress_core.storage.entropy_coding import (
    CODERS,
    Bytes,
    Symbols,
    entropy_bits,
)
from compress_core.storage.entropy_coding.coders import encode_smallest
from compress_core.storage.entropy_coding.context import (
    choose_contexts,
    model_bits,
    to_levels,
)

RECIPES: dict[str, Recipe] = {
    "4 bit": (Quantize(4),),
    "90 % pruned, 5 bit": (Prune(sparsity=0.9, scope="layer"), Quantize(5)),
    "8 bit": (Quantize(8),),
}
COLUMNS = ("coder", "bytes", "bits a weight", "tables", "entropy", "above it", "encode", "decode")
UNARY = 10  # NNCodec's default for cabac_unary_length


def run(name: str, original: Original) -> None:
    """A table for each recipe: the largest layer, in every coder."""
    largest = max(original.layers.values(), key=lambda layer: layer.weight.numel()).name
    cabac = load_cabac()
    for title, recipe in RECIPES.items():
        form = compress(original, recipe).layers[largest].weights[0].coded
        assert form is not None  # they are all quantized
        lines = list(coded(form.symbols, form.alphabet))
        if cabac:
            lines.append(cabac_line(cabac, form.symbols))
        bound = form.symbols.size * entropy_bits(form.symbols) / 8
        print()
        print_table(
            COLUMNS,
            lines,
            title=f"coders: {largest} of {name}, {title}; {form.symbols.size:,} symbols of "
            f"{form.alphabet}, entropy of their histogram {bound:,.0f} bytes",
        )
    if not cabac:
        print("\ncoders: NNCodec's DeepCABAC is not installed, its rows are left out")


def coded(symbols: Symbols, alphabet: int) -> Iterator[tuple[str, ...]]:
    """A line for each coder, and one for the container's choice, which is never above packed."""
    packed = 0
    for name, coder in CODERS.items():
        if alphabet > coder.max_alphabet:
            continue
        stream, made = timed(partial(coder.encode, symbols, alphabet))
        back, read = timed(partial(coder.decode, stream, alphabet, symbols.shape))
        assert np.array_equal(back, symbols)
        packed = packed or stream.size
        model = MODELS[name](symbols, alphabet) if name in MODELS else None
        yield line(name, stream, symbols.size, made.wall, read.wall, model)
    (name, stream), made = timed(partial(encode_smallest, symbols, alphabet))
    assert stream.size <= packed
    yield line(f"the smallest: {name}", stream, symbols.size, made.wall)


def line(
    name: str,
    stream: Bytes,
    count: int,
    encode: float,
    decode: float | None = None,
    model: tuple[int, float] | None = None,
) -> tuple[str, ...]:
    """`model` are the bytes of tables in the stream, and of the entropy of the model they hold."""
    tables, entropy, above = "", "", ""
    if model:
        over = stream.size - model[0] - model[1]
        assert over <= 0.001 * model[1] + 64, f"{name}: {over:.0f} bytes above its model"
        tables, entropy = f"{model[0]:,}", f"{model[1]:,.0f}"
        above = f"{over:+.0f} B ({100 * over / model[1]:+.3f} %)"
    read = "" if decode is None else duration(decode)
    bits = f"{8 * stream.size / count:.3f}"
    return (name, f"{stream.size:,}", bits, tables, entropy, above, duration(encode), read)


def ans_model(symbols: Symbols, alphabet: int) -> tuple[int, float]:
    return 2 * alphabet, symbols.size * entropy_bits(symbols) / 8


def context_model(symbols: Symbols, alphabet: int) -> tuple[int, float]:
    contexts = choose_contexts(symbols, alphabet)
    grid = contexts.grid
    each = [np.bincount(symbols[grid == i], minlength=alphabet) for i in range(contexts.count)]
    counts = np.stack(each)
    return contexts.side_bytes + counts.size, model_bits(counts, to_levels(counts)) / 8


Model = Callable[[Symbols, int], tuple[int, float]]
MODELS: dict[str, Model] = {"ans": ans_model, "context": context_model}  # the target is theirs


def load_cabac() -> Any:
    """NNCodec's extension, from wherever it is installed; None where it is not."""
    for folder in map(Path, sys.path):
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            path = folder / "nncodec" / "extensions" / f"deepCABAC{suffix}"
            if path.is_file():
                spec = importlib.util.spec_from_file_location("deepCABAC", path)
                assert spec is not None
                assert spec.loader is not None
                module = importlib.util.module_from_spec(spec)
                spec.loader.exec_module(module)
                return module
    return None


def cabac_line(cabac: Any, symbols: Symbols) -> tuple[str, ...]:
    """The same symbols by DeepCABAC with its own best contexts; it counts them from zero on."""
    signed = np.ascontiguousarray(symbols - np.int32(np.bincount(symbols.ravel()).argmax()))
    stream, made = timed(partial(cabac_encode, cabac, signed))
    back, read = timed(partial(cabac_decode, cabac, stream, signed.shape))
    assert np.array_equal(back, signed)
    return line("NNCodec's DeepCABAC", stream, symbols.size, made.wall, read.wall)


def cabac_encode(cabac: Any, signed: Symbols) -> Bytes:
    encoder = cabac.Encoder()
    encoder.initCtxModels(UNARY, 1)  # 1: search for each context's best adaptation rate
    no_skips = np.zeros(len(signed), np.int32)
    encoder.encodeLayer(signed, 0, 0, 0, 0, 0, no_skips, *_plain(cabac))
    stream: Bytes = np.array(encoder.finish())
    return stream


def cabac_decode(cabac: Any, stream: Bytes, shape: tuple[int, ...]) -> Symbols:
    decoder = cabac.Decoder()
    decoder.setStream(stream)
    decoder.initCtxModels(UNARY)
    symbols = np.zeros(shape, np.int32)
    decoder.decodeLayer(symbols, 0, 0, 0, 0, *_plain(cabac))
    decoder.finish()
    return symbols


def _plain(cabac: Any) -> tuple[Any, Any, int, int]:
    """No history of earlier layers, no codebook."""
    return cabac.HdspMode.AlwaysOff, np.zeros(0, np.int8), 0, 0
