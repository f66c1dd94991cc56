"""Low-rank forms through compress(): what runs equals the kernel that the factors stand for."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_core.compressed import compress
from compress_core.dataset import Dataset
from compress_core.measurement.report import measure_size
from compress_core.methods.low_rank import Factorize, Form
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import CorrectBias, Quantize
from compress_core.original import Original


@pytest.mark.parametrize("form", ["channel", "spatial", "tucker"])
def test_factors_run_as_the_kernel_they_stand_for(digits_cnn: Original, form: Form) -> None:
    step = Factorize(rank=6, form=form, layers=("conv2",))
    compressed = compress(digits_cnn, (step, Prune(sparsity=0.3)))
    stored, conv = compressed.layers["conv2"], digits_cnn.module.conv2
    assert stored.form == form
    inputs = torch.rand(2, 16, 8, 8)
    expected = functional.conv2d(
        inputs, stored.dense, conv.bias, conv.stride, conv.padding, conv.dilation
    )
    with torch.inference_mode():
        found = compressed.module.get_submodule("conv2")(inputs)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_row_tells_form_ranks_and_the_weights_of_all_factors(digits_cnn: Original) -> None:
    recipe = (Factorize(rank=8, form="tucker", layers=("conv2",)),)
    row = next(r for r in measure_size(compress(digits_cnn, recipe)).layers if r.name == "conv2")
    assert (row.form, row.ranks, row.rank) == ("tucker", (4, 8), 4)
    assert row.parameters == 16 * 4 + 4 * 8 * 9 + 8 * 32


@pytest.mark.parametrize("budget", [0.2, 0.5, 0.9])
def test_a_budget_is_kept_and_layers_worth_their_price_stay_whole(
    digits_cnn: Original, budget: float
) -> None:
    layers = compress(digits_cnn, (Factorize(budget=budget),)).layers
    counts = [weight.values.numel() for stored in layers.values() for weight in stored.weights]
    total = sum(layer.weight.numel() for layer in digits_cnn.layers.values())
    assert sum(counts) <= budget * total
    assert layers["conv1"].form == "plain"  # 144 weights of 38,160


def test_whitened_factors_have_less_output_error(digits_mlp: Original) -> None:
    images = digits_mlp.calibrate(256).data.images.flatten(1)
    errors = []
    for whiten in (False, True):
        step = Factorize(rank=10, whiten=whiten, layers=("fc1",))
        stored = compress(digits_mlp, (step,)).layers["fc1"]
        lost = images @ (stored.layer.weight - stored.dense).T
        errors.append(float(lost.square().mean()))
    assert errors[1] < 0.9 * errors[0]


def test_the_same_ranks_by_another_setting_are_not_made_again(digits_mlp: Original) -> None:
    by_energy = compress(digits_mlp, (Factorize(energy=0.8, layers=("fc1",)),)).layers["fc1"]
    by_rank = compress(digits_mlp, (Factorize(rank=by_energy.rank, layers=("fc1",)),))
    assert by_rank.layers["fc1"] is by_energy


@pytest.mark.parametrize("form", ["spatial", "tucker"])
def test_a_dense_layer_has_no_kernel_to_split(digits_mlp: Original, form: Form) -> None:
    with pytest.raises(ValueError, match=rf"no layer.*fc1 .* has no kernel to take form='{form}'"):
        compress(digits_mlp, (Factorize(form=form),))


class Doubling(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


@pytest.mark.parametrize("step", [Factorize(rank=3), CorrectBias(samples=8)])
def test_a_layer_with_a_forward_of_its_own_is_left_out(step: Factorize | CorrectBias) -> None:
    net = nn.Sequential(Doubling(6, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    data = Dataset("noise", "train", torch.rand(8, 6), torch.arange(8) % 3, tuple("abc"))
    made = compress(Original(net, (6,), calibration=data), (Quantize(bits=4), step))
    assert [(out.layer, "Doubling with a forward" in out.reason) for out in made.skipped] == [
        ("0", True)
    ]
