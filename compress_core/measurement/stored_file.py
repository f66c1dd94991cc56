"""Measure a stored file: its bytes, its weights, and the network that is restored from it."""

from dataclasses import replace

from torch import Tensor

from compress_core.compressed import compress
from compress_core.dataset import Dataset
from compress_core.measurement.cost import macs_by_layer
from compress_core.measurement.report import Report, report_of, size_of
from compress_core.methods.quantization import InputQuantizer
from compress_core.original import Original
from compress_core.recipe import from_file, of_kinds, to_json
from compress_core.restoring import read_stored, restore_decoded
from compress_core.restoring.fitting import factor_keys, named_forms
from compress_core.storage.container import ContainerError, Decoded, File
from compress_core.stored import StoredLayer, StoredLayers
from compress_core.weights import Layer


def measure_file(
    raw: bytes, original: Original, data: Dataset, *, baseline: Tensor | None = None
) -> Report:
    """`measure` of the file's bytes, against the network that it was made of.

    Noise (sqnr_db) is given for layers that kept their shape. They are compared with the original
    weights, after folding if norms are folded in the file. Raises what `restore` raises.
    """
    decoded = read_stored(raw)
    module = restore_decoded(decoded, original.pristine)
    layers = stored_layers(decoded, original)
    macs = macs_by_layer(module, original)
    size = size_of(original, layers, macs, File(raw, decoded.parts))
    recipe = to_json(from_file(decoded.recipe))
    return report_of(module, size, original, data, recipe=recipe, baseline=baseline)


def stored_layers(decoded: Decoded, original: Original) -> StoredLayers:
    """The layers of a network as a file of it stores them.

    Raises ContainerError where the file has none of the weights of a layer.
    """
    folds = of_kinds(from_file(decoded.recipe), ("fold",))
    before = compress(original, folds).layers
    return {name: _stored(stored.layer, decoded) for name, stored in before.items()}


def _stored(layer: Layer, decoded: Decoded) -> StoredLayer:
    keys = (layer.key,) if layer.key in decoded.weights else factor_keys(layer.name)
    weights = tuple(decoded.weights[key] for key in keys if key in decoded.weights)
    if not weights:
        raise ContainerError(f"the file has no weight of the layer {layer.name}")
    parts = tuple(weight.profile for weight in weights)
    stored = StoredLayer(layer, (layer.name,), weights, parts)
    if len(weights) > 1:
        form, *_ = named_forms(layer.name, from_file(decoded.recipe))
        stored = replace(stored, form=form)
    bits = decoded.inputs.get(layer.key.rpartition(".")[0])
    inputs = None if bits is None else InputQuantizer(bits)
    if stored.dense.shape != layer.weight.shape:  # it has lost channels
        layer = replace(layer, weight=stored.dense)
    return replace(stored, layer=layer, inputs=inputs)
