"""Transposed convolutions: their weight with its outputs first, and back in torch's layout."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.methods.pruning import PruneTaylor
from compress_core.methods.quantization import Quantize
from compress_core.original import Original
from compress_core.storage.container import decode
from compress_core.storage.layouts import LAYOUTS, decode_file, encode_file
from compress_core.weights import inputs_first, outputs_first

MODULES = [
    nn.ConvTranspose1d(4, 6, 3),
    nn.ConvTranspose2d(4, 6, (2, 3), groups=2),
    nn.ConvTranspose3d(4, 8, 2, groups=4),
]


@pytest.mark.parametrize("module", MODULES)
def test_a_row_is_what_makes_one_output_channel(module: nn.Module) -> None:
    original = Original(nn.Sequential(module).eval(), (4, *[3] * len(module.kernel_size)))
    weight = original.layers["0"].weight.clone()
    weight[1] = 0
    silent = nn.Sequential(module)[0]
    state = {"weight": inputs_first(weight, module.groups), "bias": torch.zeros_like(module.bias)}
    out = torch.func.functional_call(silent, state, (torch.randn(2, *original.input_shape),))
    dark = [channel for channel in range(module.out_channels) if not out[:, channel].any()]
    assert dark == [1]


@pytest.mark.parametrize("module", MODULES)
def test_the_layout_of_torch_comes_back(module: nn.Module) -> None:
    canonical = outputs_first(module.weight, module.groups)
    inputs = module.in_channels // module.groups
    assert canonical.shape == (module.out_channels, inputs, *module.kernel_size)
    assert torch.equal(inputs_first(canonical, module.groups), module.weight)


def test_a_scale_for_each_channel_is_one_for_each_output(
    animal: Callable[[str], Original],
) -> None:
    compressed = compress(animal("transposed"), (Quantize(bits=8, granularity="channel"),))
    codes = compressed.layers["up"].weights[0].codes
    assert codes is not None
    assert codes.scale.shape == (6,)
    largest = animal("transposed").module.up.weight.unflatten(0, (2, 2)).abs().amax((1, 3, 4))
    torch.testing.assert_close(codes.scale, largest.flatten() / 127)


def test_the_module_and_the_file_have_the_layout_of_torch(
    animal: Callable[[str], Original],
) -> None:
    original = animal("transposed")
    compressed = compress(original, (Quantize(bits=8),))
    stored = decode(compressed.container)
    assert stored.weights["up.weight"].header["transposed"] == 2
    assert torch.equal(stored.state_dict["up.weight"], compressed.module.up.weight)
    torch.testing.assert_close(
        compressed.module.up.weight, original.module.up.weight, atol=0.01, rtol=0
    )


def test_a_weight_of_another_kind_says_nothing_of_its_layout(digits_cnn: Original) -> None:
    stored = decode(compress(digits_cnn, ()).container)
    assert all("transposed" not in weight.header for weight in stored.weights.values())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_the_ledger_gives_the_layout_of_torch(
    animal: Callable[[str], Original], layout: str
) -> None:
    compressed = compress(animal("transposed"), (Quantize(bits=4),))
    weights = {"up.weight": compressed.layers["up"].weights[0]}
    found = decode_file(encode_file(layout, weights, {}).raw)["up.weight"]
    exact = 1e-3 if layout == "dense_fp16" else 0.0
    torch.testing.assert_close(found, compressed.module.up.weight, atol=exact, rtol=exact)


def test_scores_belong_to_the_weights_that_they_were_measured_on() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.ConvTranspose1d(2, 4, 2, groups=2), nn.Flatten(), nn.Linear(16, 3))
    images, labels = torch.randn(9, 2, 3), torch.arange(9) % 3
    data = Dataset("noise", "train", images, labels, ("a", "b", "c"))
    compressed = compress(
        Original(module.eval(), (2, 3), calibration=data),
        (PruneTaylor(sparsity=0.5, scope="layer", layers=("0",)),),
    )
    nn.functional.cross_entropy(module(images), labels).backward()
    scores = (module[0].weight * module[0].weight.grad).abs()
    lost = scores[compressed.module[0].weight == 0]
    assert lost.numel() == 4
    assert lost.max() <= scores[compressed.module[0].weight != 0].min()
