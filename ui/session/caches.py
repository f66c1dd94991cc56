"""What all sessions share, kept by (digest of the model, recipe), a tuple of flat dataclasses.

What one page alone shows is kept in that page's folder, by the same keys.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
import torch
from threadpoolctl import threadpool_limits

from compress_core import MODELS, Original, Recipe, compress, load_dataset
from compress_core.compressed import Compressed
from compress_core.data import DATASETS, Dataset
from compress_core.measurement.beside import State
from compress_core.measurement.report import Size, measure_size
from compress_core.measurement.scores import Judge
from compress_core.measurement.scores import judge as judge_of
from compress_core.measurement.slices import SUBSET, Bench
from compress_core.measurement.waterfall import Stage, waterfall
from compress_core.opening.opened import Opened
from compress_core.sources import find_original, find_test_data
from compress_core.views.summaries import PrunedLayer, pruned_layer
from ui.language import Later, _
from ui.session.beside import helper
from ui.session.snapshot_store import SnapshotStore

# Many sessions share the server: more threads would slow each other. numpy's products of small
# matrices took 50 times as long when two threads of two cores waited for each other.
torch.set_num_threads(1)
threadpool_limits(1)


def data_name(model: str) -> str:
    """What tells its test data from others: the dataset, which several models have, or the model
    that alone has them."""
    return MODELS[model].dataset if model in MODELS else model


def test_data(model: str) -> Dataset:
    """What a model is judged on. Raises DataError where that cannot be read."""
    return _named_data(data_name(model))


def _named_data(name: str) -> Dataset:
    return load_dataset(name) if name in DATASETS else _own_data(name)


@st.cache_resource(max_entries=4, show_spinner=False)
def _own_data(model: str) -> Dataset:
    return find_test_data(model)


@st.cache_resource(max_entries=8, show_spinner=Later(lambda: _("Loading the model…")))
def original(model: str) -> Original:
    found = find_original(model)
    DIGESTS[model] = found.digest
    return found


DIGESTS: dict[str, str] = {}  # of the networks that were loaded last, by the models' names


def _key_of(text: str) -> bytes:
    """For a model's name the digest of its network; any other text is its own key.

    It asks no cache: Streamlit's hashing would take the name for a cycle.
    """
    return DIGESTS.get(text, text).encode()


BY_DIGEST: dict[str | type[Any], Callable[[Any], Any]] = {str: _key_of}
# How everything that depends on a model is kept: under its digest, two networks may have one name.
keep = partial(st.cache_resource, hash_funcs=BY_DIGEST)  # shared by all sessions: never written to
keep_copies = partial(st.cache_data, hash_funcs=BY_DIGEST)  # each session gets a copy


@st.cache_resource(max_entries=4, show_spinner=Later(lambda: _("Loading the test images…")))
def ordered_images(data: str, subset: int) -> Dataset:
    """All test images; every beginning is balanced by class, the first `subset` are the subset."""
    return _named_data(data).balanced(subset)


@st.cache_resource(max_entries=256, show_spinner=False)
def first_images(data: str, subset: int, n: int) -> Dataset:
    """The first n of them."""
    return ordered_images(data, subset).beginning(n)


@keep(max_entries=64, show_spinner=Later(lambda: _("Compressing…")))  # after half a second
def compressed(model: str, recipe: Recipe) -> Compressed:
    """Shared by all sessions: never written to."""
    return compress(original(model), recipe)


def state(model: str, recipe: Recipe) -> State:
    """How the process beside the server is asked for a recipe."""
    return State(model, original(model).digest, recipe)


def size(model: str, recipe: Recipe) -> Size:
    return helper.size(state(model, recipe)) or _size(model, recipe)


@keep(max_entries=2000, show_spinner=False)  # frozen: nothing to copy
def _size(model: str, recipe: Recipe) -> Size:
    return measure_size(compressed(model, recipe))


@keep(max_entries=8, show_spinner=False)
def judge(model: str) -> Judge:
    """By which metric a model is judged: that of its task."""
    found = original(model)
    if isinstance(found, Opened):
        return found.judge(test_data(model))
    return judge_of(found, test_data(model).beginning(2))


@keep(max_entries=8, show_spinner=False)
def bench(model: str) -> Bench:
    """What a model and its compressed forms are judged on."""
    data = ordered_images(data_name(model), SUBSET)
    return Bench(original(model).pristine, data, replace(judge(model), data=data))


@keep(max_entries=64, show_spinner=False)
def cuts(model: str, recipe: Recipe) -> dict[str, PrunedLayer]:
    """Threshold, sparsity and kept energy of each layer of a recipe that ends with pruning."""
    layers = compressed(model, recipe).layers
    return {name: pruned_layer(stored) for name, stored in layers.items()}


@keep_copies(max_entries=500, show_spinner=False)
def stages_of(model: str, recipe: Recipe) -> tuple[Stage, ...]:
    """The file after each stage at fixed width, and last the coded one."""
    return waterfall(compressed(model, recipe))


@st.cache_resource(show_spinner=False)
def snapshot_store() -> SnapshotStore:
    return SnapshotStore()


@keep_copies(max_entries=32, show_spinner=False)
def graph(model: str, recipe: Recipe) -> bytes:
    """The ONNX graph as the viewer gets it: annotated, big tensors left out."""
    from compress_core.graph import strip_weights, to_onnx  # seconds of import, only for the graph

    return strip_weights(to_onnx(compressed(model, recipe)))


@keep(max_entries=8, show_spinner=Later(lambda: _("Exporting the ONNX graph…")))
def onnx_file(model: str, recipe: Recipe) -> bytes:
    """The compressed model as an ONNX file; seconds for the first recipe of each structure."""
    from compress_core.graph import to_onnx  # seconds of import, only for the graph

    return to_onnx(compressed(model, recipe))
