"""Compress neural networks by recipe, and measure what that did.

from compress_core import Prune, Quantize, compress, load_dataset, load_model, measure

model = load_model("mnist-lenet-5")
compressed = compress(model, (Prune(sparsity=0.9), Quantize(bits=5)))
print(measure(compressed, load_dataset("mnist")).accuracy)
Path("lenet.cx").write_bytes(compressed.container)
"""

from compress_core.compressed import Compressed, compress
from compress_core.data import load_dataset
from compress_core.dataset import DataError, Dataset
from compress_core.measurement.report import Report, measure
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize
from compress_core.models.catalog import MODELS
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe, from_json, parse_step, to_json
from compress_core.restoring import restore
from compress_core.storage.container import ContainerError, decode

__all__ = [
    "MODELS",
    "Compressed",
    "ContainerError",
    "DataError",
    "Dataset",
    "Factorize",
    "Original",
    "Prune",
    "Quantize",
    "Recipe",
    "Report",
    "compress",
    "decode",
    "from_json",
    "load_dataset",
    "load_model",
    "measure",
    "parse_step",
    "restore",
    "to_json",
]
