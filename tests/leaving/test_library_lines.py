"""The lines of other libraries: they are executed here, and do what our steps do."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.leaving.library_lines import PRUNE, TORCHAO, LibraryLine, library_lines
from compress_core.original import Original, load_model
from compress_core.recipe import parse_recipe
from compress_core.weights import sqnr_db
from tests.zoo.test_every_step import STEPS


def line_of(step: str) -> LibraryLine:
    (found,) = library_lines(parse_recipe(step))
    return found


def state_after(original: Original, step: str) -> dict[str, Tensor]:
    """The network's tensors after the library's lines."""
    network = copy.deepcopy(original.pristine)
    exec(line_of(step).code, {"network": network})
    return network.state_dict()


def state_of_ours(original: Original, step: str) -> dict[str, Tensor]:
    return compress(original, parse_recipe(step)).module.state_dict()


@pytest.mark.parametrize(
    "step",
    [
        "prune:sparsity=0.9",
        "prune:sparsity=0.7,scope=layer",
        "prune:sparsity=0.5,layers=fc*|conv1",
        "prune:threshold=0.05",
        "prune:sigmas=1.5,layers=fc*",
        "prune_nm:n=2,m=4,layers=fc*",
        "quantize_float:format=fp16",
        "quantize_float:format=bf16,layers=conv*",
    ],
)
def test_these_lines_give_our_weights(digits_cnn: Original, step: str) -> None:
    theirs, ours = state_after(digits_cnn, step), state_of_ours(digits_cnn, step)
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)


def test_at_random_as_many_weights_of_each_layer_become_zero(digits_cnn: Original) -> None:
    step = "random_prune:sparsity=0.37"
    theirs, ours = state_after(digits_cnn, step), state_of_ours(digits_cnn, step)
    for key in ours:
        assert theirs[key].count_nonzero() == ours[key].count_nonzero()


@pytest.mark.parametrize("importance", ["l1", "l2", "random"])
def test_channels_become_zero(digits_cnn: Original, importance: str) -> None:
    step = f"prune_structured:pruning_ratio=0.25,layers=conv1,importance={importance}"
    weight = state_after(digits_cnn, step)["conv1.weight"]
    assert int((weight.flatten(1).abs().sum(1) == 0).sum()) == round(0.25 * len(weight))


@pytest.mark.parametrize("step", ["factorize:rank=7", "factorize:energy=0.9", "factorize"])
def test_factors_have_our_rank_and_our_product(step: str) -> None:
    original = load_model("digits-mlp")
    theirs, ours = state_after(original, step), state_of_ours(original, step)
    assert {key: t.shape for key, t in theirs.items()} == {k: t.shape for k, t in ours.items()}
    first, second = theirs["fc1.0.weight"], theirs["fc1.1.weight"]
    torch.testing.assert_close(second @ first, ours["fc1.1.weight"] @ ours["fc1.0.weight"])


def test_k_means_shares_as_many_values_and_is_no_better_than_ours(digits_cnn: Original) -> None:
    step = "share:clusters=6,layers=fc1"
    before = digits_cnn.pristine.state_dict()["fc1.weight"]
    theirs = state_after(digits_cnn, step)["fc1.weight"]
    ours = state_of_ours(digits_cnn, step)["fc1.weight"]
    assert theirs.unique().numel() <= 6
    found, best = sqnr_db(before, theirs), sqnr_db(before, ours)
    assert found is not None
    assert best is not None
    assert best - 1 < found <= best + 0.01


def test_a_norm_is_folded_alike() -> None:
    original = load_model("fashion-cnn")
    theirs, ours = state_after(original, "fold"), state_of_ours(original, "fold")
    torch.testing.assert_close(theirs["conv1.weight"], ours["conv1.weight"])


def test_weights_are_plain_ones_afterwards(digits_cnn: Original) -> None:
    network = copy.deepcopy(digits_cnn.pristine)
    exec(line_of("prune:sparsity=0.5").code, {"network": network})
    assert not any("orig" in key for key in network.state_dict())
    assert isinstance(network.get_submodule("fc1").weight, nn.Parameter)


@pytest.mark.parametrize(
    ("step", "config"),
    [
        ("quantize:bits=8", "Int8WeightOnlyConfig()"),
        ("quantize:bits=8,granularity=tensor", "Int8WeightOnlyConfig(granularity=PerTensor(), "),
        ("quantize:bits=4,granularity=group,group_size=64", "granularity=PerGroup(64)"),
        ("quantize:bits=4", "weight_dtype=torch.int4, granularity=PerAxis(0)"),
        ("quantize:bits=3,scheme=asymmetric", "mapping_type=MappingType.ASYMMETRIC"),
        ("quantize_float:format=fp8_e4m3", "weight_dtype=torch.float8_e4m3fn"),
        ("quantize_activations:mode=dynamic", "Int8DynamicActivationInt8WeightConfig()"),
    ],
)
def test_the_configuration_of_torchao_says_what_the_step_says(step: str, config: str) -> None:
    found = line_of(step)
    assert found.library == TORCHAO
    assert "quantize_(network, " in found.code
    assert config in found.code
    compile(found.code, "torchao", "exec")


def test_torchao_is_told_the_layers_that_the_step_names() -> None:
    code = line_of("quantize:bits=8,layers=fc*").code
    chosen: dict[str, Any] = {}
    ours = [line for line in code.splitlines() if "torchao" not in line]
    exec("\n".join(ours[:-1]), chosen)  # all but the call
    assert chosen["is_chosen"](nn.Linear(2, 2), "fc1")
    assert not chosen["is_chosen"](nn.Linear(2, 2), "head")


def test_a_step_that_exists_nowhere_says_so() -> None:
    found = line_of("quantize_float:format=nf4")
    assert (found.library, found.code) == ("", "")
    assert found.note == "Neither PyTorch nor torchao has a line that does the same."


@pytest.mark.parametrize("text", [text for text in STEPS.values() if text])
def test_every_step_has_lines_or_a_reason(text: str) -> None:
    found = line_of(text)
    assert found.step.startswith(text.partition(":")[0])
    assert found.note
    assert bool(found.code) == bool(found.library)
    compile(found.code, text, "exec")


def test_a_pattern_cannot_break_out_of_its_quotes() -> None:
    found = line_of('prune:sparsity=0.5,layers=a")%3Bimport')
    assert found.library == PRUNE
    assert "'a\");import'" in found.code
