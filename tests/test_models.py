"""The reference networks: their checkpoints, their cards, and how well they really classify."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from compress_core.data import is_available, load_dataset
from compress_core.measurement.accuracy import accuracy_of, predicted_classes
from compress_core.models.catalog import MODELS, model_spec
from compress_core.models.checkpoints import (
    CHECKPOINTS,
    CheckpointError,
    load_card,
    load_network,
)
from compress_core.original import load_model

PARAMETERS = {
    "digits-mlp": 64 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10,
    "digits-cnn": 160 + 4_640 + 32_832 + 650,
    "mnist-lenet-300-100": 266_610,
    "mnist-lenet-5": 431_080,
    "cifar-resnet-20": 272_474,
}
TEST_ERRORS = {
    "digits-mlp": 0.03,
    "digits-cnn": 0.03,
    "digits-transformer": 0.03,
    "mnist-lenet-300-100": 0.017,
    "mnist-lenet-5": 0.009,
    "fashion-cnn": 0.08,
    "cifar-resnet-20": 0.085,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of one checkpoint and its card, to be damaged."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(CHECKPOINTS / f"digits-mlp{suffix}", tmp_path)
    return tmp_path


def test_the_catalog_is_the_promised_one() -> None:
    assert set(MODELS) == set(TEST_ERRORS)


@pytest.mark.parametrize("name", MODELS)
def test_a_network_takes_its_images_and_gives_a_logit_a_class(name: str) -> None:
    spec = MODELS[name]
    with torch.inference_mode():
        logits = spec.build().eval()(torch.zeros(2, *spec.input_shape))
    assert logits.shape == (2, 10)


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_number_of_parameters(name: str) -> None:
    assert sum(p.numel() for p in MODELS[name].build().parameters()) == PARAMETERS[name]


def test_the_fashion_network_is_small() -> None:
    assert sum(p.numel() for p in MODELS["fashion-cnn"].build().parameters()) <= 1_500_000


def test_lenet_5_has_caffes_shapes() -> None:
    shapes = {name: layer.shape for name, layer in load_model("mnist-lenet-5").layers.items()}
    assert shapes == {
        "conv1": (20, 1, 5, 5),
        "conv2": (50, 20, 5, 5),
        "fc1": (500, 800),
        "fc2": (10, 500),
    }


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_is_the_one_of_its_card(name: str) -> None:
    raw = (CHECKPOINTS / f"{name}.safetensors").read_bytes()
    assert hashlib.sha256(raw).hexdigest() == load_card(name).sha256


@pytest.mark.parametrize("name", MODELS)
def test_a_card_says_where_its_checkpoint_comes_from(name: str) -> None:
    card, network = load_card(name), load_network(name)
    assert card.model == name
    assert card.command == f"python -m compress_core train {name} --seed {card.seed}"
    assert card.dataset == MODELS[name].dataset
    assert card.parameters == sum(p.numel() for p in network.parameters())
    assert card.torch.startswith(torch.__version__.split("+")[0])


@pytest.mark.parametrize("name", MODELS)
def test_the_weights_are_fp32(name: str) -> None:
    tensors = load_file(CHECKPOINTS / f"{name}.safetensors")
    floats = [key for key in tensors if not key.endswith("num_batches_tracked")]
    assert {tensors[key].dtype for key in floats} == {torch.float32}


def test_all_checkpoints_together_are_below_ten_megabytes() -> None:
    assert sum(file.stat().st_size for file in CHECKPOINTS.iterdir()) < 10_000_000


def test_there_is_no_checkpoint_without_a_model() -> None:
    assert {file.stem for file in CHECKPOINTS.iterdir()} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_the_test_error_is_that_of_the_card_and_within_its_limit(name: str) -> None:
    if not is_available(MODELS[name].dataset):
        pytest.skip(f"{MODELS[name].dataset} is not on this machine: set COMPRESS_DATA_DIR")
    data, card = load_dataset(MODELS[name].dataset), load_card(name)
    measured = accuracy_of(predicted_classes(load_model(name).module, data), data)
    assert 1 - measured.accuracy <= TEST_ERRORS[name]
    assert measured.n == card.test_n
    # another machine's last bits may tip an image that stands between two classes
    assert measured.accuracy == pytest.approx(card.test_accuracy, abs=2 / card.test_n)


def test_a_loaded_network_is_in_evaluation_mode_without_gradients() -> None:
    network = load_network("digits-cnn")
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("position", [0, 20, 5_000, -1])
def test_a_damaged_checkpoint_is_refused(folder: Path, position: int) -> None:
    file = folder / "digits-mlp.safetensors"
    raw = bytearray(file.read_bytes())
    raw[position] ^= 1
    file.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"digits-mlp.safetensors is damaged: .*restore it"):
        load_network("digits-mlp", folder)


def test_a_truncated_checkpoint_is_refused(folder: Path) -> None:
    file = folder / "digits-mlp.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is damaged: its sha256 is not the"):
        load_network("digits-mlp", folder)


def test_a_checkpoint_of_another_network_is_refused(folder: Path) -> None:
    file, card = folder / "digits-mlp.safetensors", folder / "digits-mlp.json"
    save_file({"other.weight": torch.ones(2, 2)}, file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    card.write_text(json.dumps({**json.loads(card.read_text()), "sha256": digest}))
    with pytest.raises(CheckpointError, match="does not hold digits-mlp"):
        load_network("digits-mlp", folder)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_missing_file_is_named_with_the_way_to_get_it(folder: Path, suffix: str) -> None:
    (folder / f"digits-mlp{suffix}").unlink()
    command = "python -m compress_core train digits-mlp --replace"
    rule = f"digits-mlp{suffix} is missing; train it with `{command}`"
    with pytest.raises(CheckpointError, match=rule):
        load_network("digits-mlp", folder)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown model 'resnet-50'; choose one of digits-cnn"):
        model_spec("resnet-50")
