"""Bytes and errors of a tensor are those of a network that has it; a sample estimates them."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from compress_core import Prune, Quantize, Recipe, compress
from compress_core.checkpoint import Profiles, Weighed, census_of, estimate_whole, weigh_tensor
from compress_core.checkpoint import weighing as module
from compress_core.original import Original
from compress_core.recipe import parse_recipe
from compress_core.stored import StoredLayer
from tests.checkpoint.conftest import Write, normal

TEXTS = (
    "",
    "prune:sparsity=0.7,scope=layer",
    "prune:threshold=0.01",
    "prune:sigmas=0.5",
    "quantize:bits=4",
    "quantize:bits=3,granularity=tensor,clipping=mse",
    "quantize:bits=4,scheme=asymmetric,granularity=group,group_size=32",
    "quantize_float:format=nf4,granularity=group",
    "quantize_float:format=fp8_e4m3",
    "quantize_mx:format=mxfp4",
    "quantize_mx:format=nvfp4",
    "ternarize",
    "binarize",
    "share:clusters=16",
    "prune:sparsity=0.5,scope=layer;quantize:bits=4",
    "prune:sparsity=0.5,scope=layer;share:clusters=8",
)
WEIGHT = normal(96, 200).bfloat16()


def weigh(write: Write, text: str, weight: torch.Tensor = WEIGHT, **options: int) -> Weighed:
    found = write({"fc.weight": weight})
    entry = found.entry("fc.weight")
    return weigh_tensor(
        entry, parse_recipe(text), partial(Profiles(found).census, entry), **options
    )


def in_a_network(text: str, weight: torch.Tensor = WEIGHT) -> StoredLayer:
    """The same weight as a layer of a network, compressed as the app does it."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight.float())
    original = Original(nn.Sequential(layer).eval(), (weight.shape[1],))
    return compress(original, parse_recipe(text)).layers["0"]


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_and_sqnr_are_those_of_the_same_layer_in_a_network(text: str, write: Write) -> None:
    found, stored = weigh(write, text), in_a_network(text)
    assert found.is_exact
    assert found.stored_bytes == stored.weights[0].streams.byte_count
    assert found.zeros == int((stored.dense == 0).sum())
    if stored.sqnr_db is None:
        assert found.sqnr_db is None
    else:
        assert found.sqnr_db == pytest.approx(stored.sqnr_db)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tensor comes in many blocks, as large ones do."""
    monkeypatch.setattr(module, "BLOCK", 2000)
    monkeypatch.setattr(module, "read_blocks", partial(module.read_blocks, weights=2000))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("text", [text for text in TEXTS if "clipping" not in text])
def test_block_by_block_the_weights_are_the_same(text: str, write: Write) -> None:
    """Streams of blocks are a little longer: each has its own tables."""
    found, stored = weigh(write, text), in_a_network(text)
    assert found.is_exact
    assert found.zeros == int((stored.dense == 0).sum())
    if stored.sqnr_db is not None:
        # an even codebook of a sample is a little worse than the best one
        assert found.sqnr_db == pytest.approx(stored.sqnr_db, abs=0.05 if "share" in text else 1e-6)
    assert found.stored_bytes == pytest.approx(stored.weights[0].streams.byte_count, rel=0.1)


@pytest.mark.usefixtures("small_blocks")
def test_exactly_as_many_weights_fall_in_blocks_though_many_are_equal(write: Write) -> None:
    """Of 8 bits there are so few values that most weights stand on the threshold with others."""
    weight = normal(50, 200).mul(20).to(torch.float8_e4m3fn)
    assert weigh(write, "prune:sparsity=0.37,scope=layer", weight).zeros == 3700


def test_a_sample_says_so_and_is_near(write: Write) -> None:
    weight = normal(800, 400).bfloat16()
    for text in ("quantize:bits=4", "prune:sparsity=0.8,scope=layer", "share:clusters=8"):
        exact, near = weigh(write, text, weight), weigh(write, text, weight, most=80_000)
        assert (exact.seen, near.seen, near.weights) == (320_000, 80_000, 320_000)
        assert near.stored_bytes == pytest.approx(exact.stored_bytes, rel=0.02)
        assert near.sqnr_db == pytest.approx(exact.sqnr_db, abs=0.15)


def test_float8_of_torch_is_the_oracle_of_the_error(write: Write) -> None:
    weight = normal(64, 64)
    found = weigh(write, "quantize_float:format=fp8_e5m2,granularity=tensor", weight)
    scale = weight.abs().max() / torch.finfo(torch.float8_e5m2).max
    rounded = (weight / scale).to(torch.float8_e5m2).float() * scale
    assert found.noise == pytest.approx(float((weight - rounded).double().square().sum()))
    assert found.rms_error == pytest.approx(float((weight - rounded).square().mean().sqrt()))


def test_a_stack_of_experts_has_a_scale_for_each_row_of_each(write: Write) -> None:
    experts = torch.stack([normal(64, 64), 100 * normal(64, 64, seed=1)])
    parts = [weigh(write, "quantize:bits=4", expert) for expert in experts]
    found = weigh(write, "quantize:bits=4", experts)
    assert found.noise == pytest.approx(sum(part.noise for part in parts))


REFUSED: dict[str, tuple[Recipe, str]] = {
    "two that code": (parse_recipe("quantize:bits=4;share:clusters=4"), "leave out the others"),
    "two that prune": ((Prune(sparsity=0.5), Prune(sparsity=0.4)), "leave out the others"),
    "one that needs inputs": (parse_recipe("prune_wanda:sparsity=0.5"), "needs a network"),
    "one that names layers": (parse_recipe("quantize:layers=fc*"), "leave layers= out"),
    "signs of pruned weights": (parse_recipe("prune:sparsity=0.5;binarize"), "no zero"),
    "a threshold above all": ((Prune(threshold=100.0),), "prunes every weight"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_tensor_cannot_take_is_refused(what: str, write: Write) -> None:
    steps, said = REFUSED[what]
    entry = write({"w": WEIGHT}).entry("w")
    with pytest.raises(ValueError, match=said):
        weigh_tensor(entry, steps, lambda: census_of(WEIGHT))


def test_weights_that_are_not_finite_are_refused(write: Write) -> None:
    weight = normal(10, 10)
    weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="1 weights are NaN or infinite"):
        weigh(write, "quantize:bits=4", weight)


def test_the_whole_is_judged_by_one_tensor_of_each_group(write: Write) -> None:
    tensors = {f"h.{i}.weight": normal(64, 64, seed=i).bfloat16() for i in range(5)}
    found = write({**tensors, "norm": torch.ones(64), "h.5.bad": torch.full((4, 4), np.nan)})
    total = estimate_whole(found, (Quantize(bits=4),))
    one = weigh(write, "quantize:bits=4", tensors["h.2.weight"])
    assert total.own_bytes == 5 * 64 * 64 * 2 + 64 * 4 + 4 * 4 * 4
    assert total.stored_bytes == 5 * one.stored_bytes + 64 * 4 + 4 * 4 * 4
    assert total.sqnr_db == pytest.approx(one.sqnr_db)
