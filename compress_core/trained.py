"""What training steps gave: files in the user's cache, under a key of all that they came from.

A result is a container, as any stored model, and beside it a JSON file that tells its epochs. Who
compresses by a recipe looks the results up; nothing here trains.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import torch

from compress_core.assets import ASSETS
from compress_core.data.finding import user_cache
from compress_core.entering.copying import copy_network
from compress_core.events import Epoch, event_from_json, event_to_json
from compress_core.inputs import call, pick_output
from compress_core.methods.retraining.common import TrainingFields
from compress_core.network import Network
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe, format_step
from compress_core.storage.container import Decoded, decode
from compress_core.stored import JOINS, StoredLayer, untouched
from compress_core.weights import Profile, inputs_first, with_tensors
from compress_core.writing import write_file

LOOP_VERSION = 1  # of what training computes; another one trains anew
FOLDER_VARIABLE = "COMPRESS_TRAINED_DIR"
SHIPPED = ASSETS / "trained"
CAP_BYTES = 10**9  # of all results in the cache; the least recently used are dropped first
TIMED_BATCH = 128


@dataclass(frozen=True, eq=False)
class Result:
    """What a training step gave: the container's bytes, and its epochs."""

    container: bytes
    epochs: tuple[Epoch, ...]


class NotTrained(ValueError):  # noqa: N818  # no fault: it says what is to be done
    """A training step of a recipe has no result yet; `recipe` ends with this step."""

    def __init__(self, original: Original, recipe: Recipe, network: Network) -> None:
        super().__init__(format_step(recipe[-1]))
        self.recipe = recipe
        self._original, self._network = original, network

    def __str__(self) -> str:
        return (
            f"{format_step(self.recipe[-1])} is not trained yet, which takes about "
            f"{max(self.seconds, 1):.0f} s on this machine: start it on the page Recover, with "
            "--train on the command line, or with train_steps(original, recipe) in Python"
        )

    @cached_property
    def seconds(self) -> float:
        """How long the training takes here, by the time of a few batches."""
        batches = len(self._original.training_data()) / TIMED_BATCH
        step = cast(TrainingFields, self.recipe[-1])
        return step.epochs * batches * batch_seconds(self._network)


def batch_seconds(network: Network) -> float:
    """Seconds of a forward and a backward pass with TIMED_BATCH rows, measured once."""
    return network.base.memo.get(("batch seconds",), lambda: _time_batch(network))


def _time_batch(network: Network) -> float:
    module = copy_network(network.weights_module).requires_grad_(True).train()
    inputs = tuple(x.expand(TIMED_BATCH, *x.shape[1:]) for x in network.base.examples)
    for _ in range(2):  # the first one warms up
        start = time.perf_counter()
        pick_output(call(module, inputs), network.base.task.output).float().mean().backward()
        seconds = time.perf_counter() - start
    return seconds


def result_key(original: Original, recipe: Recipe) -> str:
    """The key of the result of a recipe that ends with a training step."""
    parts = (LOOP_VERSION, original.digest, original.data_key, format_recipe(recipe))
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def cache_folder() -> Path:
    """Where results are kept: $COMPRESS_TRAINED_DIR, else in the user's cache."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_cache() / "trained"


def find_result(key: str) -> Result | None:
    """The result under a key; None where there is none, or one that is damaged."""
    for folder in (cache_folder(), SHIPPED):
        file, told = folder / f"{key}.safetensors", folder / f"{key}.json"
        try:
            raw = file.read_bytes()
            entry = json.loads(told.read_text())
            if hashlib.sha256(raw).hexdigest() != entry["sha256"]:
                continue
            epochs = tuple(event_from_json(event) for event in entry["epochs"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue  # no such file, or a damaged one, which is made anew
        if folder != SHIPPED:
            os.utime(file)
        return Result(raw, tuple(epoch for epoch in epochs if isinstance(epoch, Epoch)))
    return None


def keep_result(key: str, result: Result, recipe: Recipe) -> None:
    """Keep a result, and drop the least recently used ones beyond CAP_BYTES.

    Raises WriteError where it cannot be written.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    entry = {
        "recipe": format_recipe(recipe),
        "sha256": hashlib.sha256(result.container).hexdigest(),
        "epochs": [event_to_json(epoch) for epoch in result.epochs],
    }
    write_file(folder / f"{key}.safetensors", result.container)
    write_file(folder / f"{key}.json", json.dumps(entry).encode())
    _drop_oldest(folder)


def cached_bytes() -> int:
    """Bytes of all results in the cache."""
    return sum(size for _, size, _ in _files(cache_folder()))


def forget_results() -> None:
    """Delete all results in the cache; those that ship stay."""
    for _, _, file in _files(cache_folder()):
        _delete(file)


def _drop_oldest(folder: Path) -> None:
    files = _files(folder)
    total = sum(size for _, size, _ in files)
    for _, size, file in files[:-1]:
        if total <= CAP_BYTES:
            return
        _delete(file)
        total -= size


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Time of last use, bytes and path of each result, the oldest first."""
    found = ((file.stat(), file) for file in folder.glob("*.safetensors"))
    return sorted((stat.st_mtime, stat.st_size, file) for stat, file in found)


def _delete(file: Path) -> None:
    file.unlink(missing_ok=True)
    file.with_suffix(".json").unlink(missing_ok=True)


def load_trained(original: Original, recipe: Recipe, network: Network) -> Network:
    """The network after the last step of `recipe`, which trains; `network` is the one before it.

    Raises NotTrained where there is no result yet.
    """
    key = result_key(original, recipe)

    def load() -> Network:
        found = find_result(key)
        if found is None:
            raise NotTrained(original, recipe, network)
        return trained_network(network, decode(found.container), key)

    return network.base.memo.get(("trained", key), load)


def trained_network(network: Network, decoded: Decoded, key: str) -> Network:
    """`network` with the values of a result: its layers stored in the same forms, and a new base,
    so that what calibrates later looks at the trained network."""
    base = network.base.bases.get(
        ("trained", key),
        lambda: network.base.with_module(
            with_tensors(network.base.pristine, _plain_tensors(network, decoded))
        ),
    )
    base.fresh = network.base.fresh
    layers = {
        name: _trained_layer(replace(stored, layer=base.layers[name]), decoded, key)
        for name, stored in network.layers.items()
    }
    return Network(base, layers)


def _plain_tensors(network: Network, decoded: Decoded) -> dict[str, torch.Tensor]:
    """The decoded tensors under the keys of the base, whose layers are in one piece."""
    tensors = dict(decoded.dense_tensors)
    for stored in network.layers.values():
        values = [tensors.pop(key) for key in stored.weight_keys]
        dense = values[0]
        if stored.form != "plain":
            dense = JOINS[stored.form](*(decoded.weights[key].values for key in stored.weight_keys))
            if stored.layer.transposed:
                dense = inputs_first(dense, stored.layer.transposed)
            _rename(tensors, stored.bias_key, untouched(stored.layer).bias_key)
        tensors |= dict.fromkeys(stored.layer.tied_keys, dense)
    return tensors


def _rename(tensors: dict[str, torch.Tensor], old: str | None, new: str | None) -> None:
    if old in tensors and new is not None:
        tensors[new] = tensors.pop(old)


def _trained_layer(stored: StoredLayer, decoded: Decoded, key: str) -> StoredLayer:
    weights = tuple(decoded.weights[name] for name in stored.weight_keys)
    kept = stored.kept
    if stored.codes is None:
        masks = tuple(weight.values != 0 for weight in weights)
        kept = masks if not all(bool(mask.all()) for mask in masks) else ()
    if stored.form == "plain" and stored.codes is None and not kept and stored.inputs is None:
        return untouched(stored.layer)
    parts = tuple(Profile(weight.values) for weight in weights)
    made = stored.with_weights(("trained", key), weights)
    return replace(
        made, key=(stored.layer.name, ("trained", key)), parts=parts, kept=kept, bias=None
    )


def epochs_of(original: Original, recipe: Recipe) -> Sequence[Epoch]:
    """The epochs of the last step of a recipe, which trains; none where it is not trained."""
    found = find_result(result_key(original, recipe))
    return found.epochs if found else ()
