"""Quantization through compress(): GPTQ of factors, corrected biases, and rounded inputs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import (
    Binarize,
    CorrectBias,
    InputQuantizer,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    SignCoded,
    Ternarize,
)
from compress_core.original import Original
from compress_core.recipe import from_file
from compress_core.storage.container import decode

CODED = [QuantizeFloat(format=name) for name in ("fp16", "bf16", "fp8_e4m3", "fp4_e2m1", "nf4")]
CODED += [QuantizeMX(), QuantizeMX("nvfp4")]
CODED += [QuantizeFloat(format="nf4", granularity="group"), Binarize(), Ternarize()]


def run(compressed: Compressed, images: Tensor) -> Tensor:
    with torch.inference_mode():
        out: Tensor = compressed.module(images)
    return out


def output_errors(compressed: Compressed, images: Tensor) -> dict[str, float]:
    """E‖(W - W')x‖² of each layer of the digits' MLP, x as the original network makes it."""
    module, inputs, errors = compressed.original.module, images.flatten(1), {}
    for name, stored in compressed.layers.items():
        layer = module.get_submodule(name)
        lost = inputs @ (stored.layer.weight - stored.dense).T
        errors[name] = float(lost.square().mean())
        inputs = torch.relu(layer(inputs)).detach()
    return errors


@pytest.mark.parametrize("step", CODED, ids=str)
def test_codes_of_every_kind_come_back_from_the_file(zoo_model: Original, step: Any) -> None:
    compressed = compress(zoo_model, (step,))
    state = decode(compressed.container).state_dict
    for key, value in compressed.module.state_dict().items():
        assert state[key].numpy().tobytes() == value.contiguous().numpy().tobytes()


@pytest.mark.parametrize("rank", [None, 8])
def test_feedback_has_less_output_error_than_rounding(
    digits_mlp: Original, rank: int | None
) -> None:
    before = () if rank is None else (Factorize(rank=rank, layers=("fc1", "fc2")),)
    images = digits_mlp.calibrate(256).data.images
    nearest = output_errors(compress(digits_mlp, (*before, Quantize(bits=3))), images)
    feedback = output_errors(compress(digits_mlp, (*before, QuantizeGPTQ(bits=3))), images)
    assert all(feedback[name] < nearest[name] for name in nearest)


def test_the_second_factor_knows_what_the_first_one_lost(digits_mlp: Original) -> None:
    recipe = (Factorize(rank=8, layers=("fc1",)), QuantizeGPTQ(bits=4, layers=("fc1",)))
    first, second = compress(digits_mlp, recipe).layers["fc1"].weights
    exact = compress(digits_mlp, recipe[:1]).layers["fc1"].weights
    images = digits_mlp.calibrate(256).data.images.flatten(1)
    inner = images @ first.values.T
    lost = (inner @ (exact[1].values - second.values).T).square().mean()
    nearest = compress(digits_mlp, (*recipe[:1], Quantize(bits=4))).layers["fc1"].weights[1]
    assert lost < (inner @ (exact[1].values - nearest.values).T).square().mean()


def test_pruned_weights_stay_zero_under_feedback(digits_mlp: Original) -> None:
    pruned = compress(digits_mlp, (Prune(sparsity=0.8),))
    both = compress(digits_mlp, (Prune(sparsity=0.8), QuantizeGPTQ(bits=3)))
    for name, stored in both.layers.items():
        assert (stored.dense[pruned.layers[name].dense == 0] == 0).all()


@pytest.mark.parametrize("recipe", [(Quantize(bits=2),), (Factorize(rank=4), Ternarize())])
def test_corrected_biases_keep_each_layers_mean_output(
    digits_mlp: Original, recipe: tuple[Any, ...]
) -> None:
    corrected = compress(digits_mlp, (*recipe, CorrectBias(samples=64))).layers["fc2"]
    module, images = digits_mlp.module, digits_mlp.calibrate(64).data.images
    with torch.no_grad():
        inputs = torch.relu(module.fc1(images.flatten(1)))
        expected = module.fc2(inputs).mean(0)
        found = (inputs @ corrected.dense.T + corrected.bias).mean(0)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_layer_without_bias_gets_one(animal: Callable[[str], Original]) -> None:
    recipe = (Quantize(bits=2), CorrectBias())
    compressed = compress(animal("no_bias"), recipe)
    assert compressed.module.get_submodule("fc1").bias.any()
    assert "fc1.bias" in decode(compressed.container).rest


def test_a_layer_that_nothing_changed_keeps_its_bias(digits_mlp: Original) -> None:
    layers = compress(digits_mlp, (Quantize(bits=2, layers=("fc1",)), CorrectBias())).layers
    assert [stored.bias is None for stored in layers.values()] == [False, True, True]


STATIC = QuantizeActivations(bits=6)
DYNAMIC = QuantizeActivations(bits=4, mode="dynamic")


def test_static_ranges_are_those_of_the_calibration_images(digits_mlp: Original) -> None:
    inputs = compress(digits_mlp, (STATIC,)).layers["fc2"].inputs
    assert isinstance(inputs, InputQuantizer)
    images = digits_mlp.calibrate(256).data.images.flatten(1)
    seen = torch.relu(digits_mlp.module.fc1(images)).detach()
    assert inputs.scale.item() == pytest.approx(float(seen.max()) / 63)
    assert inputs.zero_point == 0


def rounded_by_hand(compressed: Compressed, images: Tensor) -> Tensor:
    """What the file of a digits' MLP computes, read from its header and tensors alone."""
    decoded = decode(compressed.container)
    (step,) = (s for s in from_file(decoded.recipe) if isinstance(s, QuantizeActivations))
    x, state = images.flatten(1), decoded.state_dict
    for i in (1, 2, 3):
        if step.mode == "static":
            scale, zero = state[f"fc{i}.input_scale"], state[f"fc{i}.input_zero_point"]
        else:
            low, high = (x.amin(1, keepdim=True), x.amax(1, keepdim=True))  # of each image
            scale = (high.clamp(min=0) - low.clamp(max=0)) / (2**step.bits - 1)
            zero = torch.round(-low.clamp(max=0) / scale)
        x = ((x / scale).round() + zero).clamp(0, 2**step.bits - 1).sub(zero) * scale
        x = nn.functional.linear(x, state[f"fc{i}.weight"], state[f"fc{i}.bias"])
        x = torch.relu(x) if i < 3 else x
    return x


@pytest.mark.parametrize("step", [STATIC, DYNAMIC], ids=["static", "dynamic"])
def test_bits_and_ranges_of_inputs_can_be_read_from_the_file(
    digits_mlp: Original, digits: Dataset, step: QuantizeActivations
) -> None:
    compressed = compress(digits_mlp, (Quantize(bits=5), step))
    images = digits.images[:40]
    torch.testing.assert_close(run(compressed, images), rounded_by_hand(compressed, images))


def test_inputs_of_each_layer_have_tensors_of_their_own(digits_mlp: Original) -> None:
    compressed = compress(digits_mlp, (QuantizeActivations(),))
    assert compressed.tied == {}
    assert {f"fc{i}.input_scale" for i in (1, 2, 3)} < compressed.rest.keys()


def test_a_factorized_layer_rounds_what_comes_into_its_first_factor(digits_mlp: Original) -> None:
    compressed = compress(digits_mlp, (Factorize(rank=8, layers=("fc1",)), STATIC))
    assert "fc1.input_scale" in compressed.rest
    module = compressed.module.get_submodule("fc1")
    x = torch.rand(5, 64)
    scale = compressed.rest["fc1.input_scale"]
    rounded = ((x / scale).round().clamp(0, 63)) * scale
    torch.testing.assert_close(module(x), module[1](module[0](rounded)))


def test_a_binarized_channel_of_zeros_stays_one(linear_of: Callable[[Tensor], Original]) -> None:
    stored = compress(linear_of(torch.tensor([[0.0, 0.0], [3.0, -1.0]])), (Binarize(),))
    assert stored.layers["fc"].dense.tolist() == [[0.0, 0.0], [2.0, -2.0]]
    codes = decode(stored.container).weights["fc.weight"].codes
    assert isinstance(codes, SignCoded)
    assert codes.scale.tolist() == [0, 2]


EMBEDDING = ("embedding",)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ((Prune(sparsity=0.5), Binarize(layers=("fc1",))), "fc1 is pruned, and a 1-bit code has"),
        ((QuantizeActivations(layers=EMBEDDING),), "embedding has no input to quantize"),
        ((QuantizeGPTQ(layers=EMBEDDING),), "embedding has no inputs to calibrate on"),
        ((CorrectBias(layers=EMBEDDING),), "embedding has no bias of its own"),
    ],
)
def test_what_does_not_fit_is_refused(
    digits_mlp: Original, animal: Callable[[str], Original], recipe: Any, words: str
) -> None:
    model = animal("words") if "embedding" in words else digits_mlp
    with pytest.raises(ValueError, match=re.escape(words)):
        compress(model, recipe)
