"""Presets: they load without training, and their files are as small and as good as they say."""

import pytest

from compress_core.compressed import compress
from compress_core.data import is_available, load_dataset
from compress_core.measurement.report import measure
from compress_core.models.catalog import MODELS, model_spec
from compress_core.original import load_model
from compress_core.recipe import parse_recipe
from compress_core.search.presets import Preset, all_presets, presets
from compress_core.storage.container import decode

PRESETS = all_presets()
SLOW = ("fashion-cnn", "cifar-resnet-20")  # 10 to 20 s a test set: the smallest file of each is run
RUN = [p for p in PRESETS if p.model not in SLOW] + [
    min(presets(model), key=lambda preset: preset.stored_bytes) for model in SLOW
]


def test_there_are_presets_of_both_lenets() -> None:
    assert {preset.model for preset in PRESETS} >= {"mnist-lenet-300-100", "mnist-lenet-5"}


def test_presets_are_found_by_their_network() -> None:
    assert sum(len(presets(model)) for model in MODELS) == len(PRESETS)
    assert not presets("model")


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_preset_needs_no_training_and_its_file_has_its_size(preset: Preset) -> None:
    compressed = compress(load_model(preset.model), parse_recipe(preset.recipe))
    # where this changes, raise storage.container.ENCODINGS, too: jobs have kept such numbers
    assert compressed.stored_bytes == preset.stored_bytes
    assert decode(compressed.container).state_dict.keys() == compressed.module.state_dict().keys()


@pytest.mark.parametrize("preset", RUN, ids=lambda preset: preset.name)
def test_a_preset_is_as_good_as_it_says(preset: Preset) -> None:
    dataset = model_spec(preset.model).dataset
    if not is_available(dataset):
        pytest.skip(f"{dataset} is not here")
    compressed = compress(load_model(preset.model), parse_recipe(preset.recipe))
    error = 1 - measure(compressed, load_dataset(dataset)).score.value
    assert error == pytest.approx(preset.error, abs=2e-4)  # sums differ from machine to machine
