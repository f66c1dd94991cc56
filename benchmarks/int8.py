"""Our integer graphs beside onnxruntime's own `quantize_static`: latency, bytes, accuracy.

Both have 8-bit weights per channel and static 8-bit inputs from the same 256 training images, and
run in turns in one process, on one thread. `quantize_static` gets the fp32 graph, preprocessed as
its documentation asks.
"""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from compress_core import Original, Recipe, compress, load_dataset, load_model
from compress_core.command_line.console import print_table
from compress_core.data import is_available
from compress_core.graph import to_onnx
from compress_core.measurement.cost import measure_latencies
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.quantization import Quantize, QuantizeActivations
from compress_core.models.catalog import MODELS

NETWORKS = ("mnist-lenet-5", "fashion-cnn", "digits-cnn")
BATCHES = {1: 1000, 64: 100}  # images at a time: passes
SAMPLES = 256
TARGET = 1.05  # of quantize_static's median latency
COLUMNS = ("graph", "bytes", "accuracy", "batch 1", "× static", "batch 64", "× static", "target")
INT8: Recipe = (Quantize(bits=8), QuantizeActivations(bits=8, samples=SAMPLES))


class Images(CalibrationDataReader):  # type: ignore[misc]  # untyped
    """The calibration images one by one, as onnxruntime asks for them."""

    def __init__(self, images: Tensor) -> None:
        self._feeds: Iterator[dict[str, Any]] = iter(
            [{"images": image.numpy()} for image in images.split(1)]
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def run() -> None:
    for name in NETWORKS:
        if is_available(MODELS[name].dataset):
            compare(name)
        else:
            print(f"\nint8: {name} skipped; `python -m compress_core data` gets its data")


def compare(name: str) -> None:
    original = load_model(name)
    calibration = original.calibrate(SAMPLES).data.images
    graphs = make_graphs(original, calibration)
    times = {
        batch: [
            found.latency_ms_p50
            for found in measure_latencies(list(graphs.values()), calibration[:batch], runs=runs)
        ]
        for batch, runs in BATCHES.items()
    }
    rows = []
    for i, (title, graph) in enumerate(graphs.items()):
        cells = [title, f"{len(graph):,}", f"{accuracy(graph, name):.2%}"]
        ratios = [taken[i] / taken[-1] for taken in times.values()]
        for taken, ratio in zip(times.values(), ratios, strict=True):
            cells += [f"{taken[i]:.4f} ms", f"{ratio:.2f}"]
        ours = title.startswith("ours")
        met = "met" if max(ratios) <= TARGET else "over"
        rows.append((*cells, f"<= {TARGET}: {met}" if ours else ""))
    print()
    print_table(COLUMNS, rows, title=f"int8: {name}, median latency in turns")


def make_graphs(original: Original, calibration: Tensor) -> dict[str, bytes]:
    """The fp32 graph, ours, and last that of `quantize_static`."""
    plain = to_onnx(compress(original, ()))
    graphs = {"fp32": plain, "ours": to_onnx(compress(original, INT8))}
    if original.name == "fashion-cnn":  # the one that has norms
        graphs["ours, folded first"] = to_onnx(compress(original, (FoldBatchNorm(), *INT8)))
    return graphs | {"quantize_static": static(plain, calibration)}


def static(graph: bytes, calibration: Tensor) -> bytes:
    """What onnxruntime's own tool makes of an fp32 graph: QDQ, symmetric weights per channel."""
    logging.getLogger().setLevel(logging.ERROR)  # it warns of itself in the root logger
    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, made = (Path(folder, f"{stem}.onnx") for stem in ("a", "b", "c"))
        plain.write_bytes(graph)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        reader, form = Images(calibration), QuantFormat.QDQ
        quantize_static(str(prepared), str(made), reader, quant_format=form, per_channel=True)
        return made.read_bytes()


def accuracy(graph: bytes, name: str) -> float:
    """Of the whole test set, in onnxruntime."""
    data = load_dataset(MODELS[name].dataset)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    logits = [session.run(None, {"images": x.numpy()})[0] for x in data.images.split(500)]
    return float((np.concatenate(logits).argmax(1) == data.class_labels.numpy()).mean())
