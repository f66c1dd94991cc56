"""Models by name, wherever they come from."""

from pathlib import Path

import pytest
import torch

from compress_core.data import Dataset
from compress_core.jobs.work import Timing, work_key
from compress_core.models.catalog import MODELS
from compress_core.models.checkpoints import load_card
from compress_core.original import Original
from compress_core.sources import (
    check_name,
    content_key,
    describe,
    find_original,
    find_source,
    find_test_data,
    model_names,
)
from compress_core.trusted import VARIABLE, TrustedModel

OWN = Path(__file__).parent / "own_code"


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> TrustedModel:
    monkeypatch.syspath_prepend(OWN)
    made = TrustedModel("own_package.nets:tokens", folder=OWN)
    monkeypatch.setenv(VARIABLE, made.to_json())
    return made


def test_reference_networks_are_found_as_ever(digits_mlp: Original, digits: Dataset) -> None:
    assert find_original("digits-mlp").digest == digits_mlp.digest
    assert torch.equal(find_test_data("digits-mlp").images, digits.images)
    assert content_key("digits-mlp") == load_card("digits-mlp").sha256
    assert describe("digits-mlp") == MODELS["digits-mlp"].description
    assert find_source("digits-mlp").is_reference


def test_the_own_model_is_found_by_its_name(own: TrustedModel) -> None:
    assert model_names() == ("nets.tokens", *MODELS)
    assert find_original("nets.tokens") is own.original()
    assert find_test_data("nets.tokens").name == "generated inputs"
    assert not find_source("nets.tokens").is_reference


def test_a_name_that_no_model_has_is_refused(own: TrustedModel) -> None:
    with pytest.raises(ValueError, match=r"unknown model 'net'; choose one of nets\.tokens, dig"):
        check_name("net")
    assert own.name == "nets.tokens"


def test_without_it_the_own_models_name_is_unknown() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'nets\.tokens'; choose one of digits-cnn"):
        check_name("nets.tokens")


def test_work_on_other_weights_or_other_data_is_other_work(
    own: TrustedModel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    state = {key: tensor + 1 for key, tensor in own.original().module.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    before = work_key(Timing(own.name, "prune:sparsity=0.5"))
    other = TrustedModel(own.model, tmp_path / "w.safetensors", folder=OWN)
    monkeypatch.setenv(VARIABLE, other.to_json())
    assert other.name == own.name
    assert work_key(Timing(own.name, "prune:sparsity=0.5")) != before
