"""Pictures of weights: small, and true to the numbers."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from compress_core.compressed import compress
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import (
    InputQuantizer,
    Quantize,
    QuantizeFloat,
    QuantizeMX,
    Ternarize,
)
from compress_core.original import Original
from compress_core.steps import AnyStep
from compress_core.stored import StoredLayer
from compress_core.views.summaries import (
    ScaleView,
    block_sparsity,
    error_histogram,
    heatmap_rows,
    input_view,
    kept_thumbnail,
    low_rank_view,
    pruned_layer,
    scale_view,
    thumbnail,
    unpruned,
)

WEIGHT = torch.tensor([[4.0, -1.0, 0.5, -2.0], [3.0, 0.25, -0.75, 1.0]])


@pytest.fixture
def stored(linear_of: Callable[[Tensor], Original]) -> Callable[..., StoredLayer]:
    """WEIGHT as one layer, after the given steps."""

    def make(*steps: AnyStep) -> StoredLayer:
        return compress(linear_of(WEIGHT), steps).layers["fc"]

    return make


def test_block_sparsity_by_hand() -> None:
    weight = torch.tensor([[0.0, 1.0], [0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert block_sparsity(weight, blocks=2).tolist() == [0.75, 0.25]


def test_a_layer_with_fewer_rows_than_blocks_has_a_block_a_row() -> None:
    assert block_sparsity(torch.tensor([[0.0], [1.0]]), blocks=32).tolist() == [1, 0]


def test_the_blocks_of_any_layer_average_to_about_its_sparsity(digits_cnn: Original) -> None:
    layers = compress(digits_cnn, (Prune(sparsity=0.7),)).layers
    for stored in layers.values():
        zeros = float((stored.dense == 0).float().mean())
        assert block_sparsity(stored.dense, 8).mean() == pytest.approx(zeros, abs=0.05)


def test_the_heatmap_repeats_the_runs_of_short_layers(digits_cnn: Original) -> None:
    layers = compress(digits_cnn, (Prune(sparsity=0.5),)).layers
    rows = heatmap_rows(layers, blocks=20)
    assert rows.shape == (4, 20)
    assert np.array_equal(rows[3, ::2], rows[3, 1::2])  # fc2 has ten rows


def test_the_heatmap_of_a_pair_shows_the_second_factor(digits_cnn: Original) -> None:
    recipe = (Factorize(rank=8, layers=("fc1",)), Prune(sparsity=0.5))
    stored = compress(digits_cnn, recipe).layers["fc1"]
    expected = block_sparsity(stored.weights[1].values, 64)
    assert np.array_equal(heatmap_rows({"fc1": stored}, blocks=64)[0], expected)


def test_a_small_weight_is_its_own_thumbnail() -> None:
    assert np.array_equal(thumbnail(WEIGHT), WEIGHT.numpy())


def test_a_large_weight_is_averaged_down() -> None:
    weight = torch.arange(8.0).repeat(4, 1)
    assert thumbnail(weight, limit=4).tolist() == [[0.5, 2.5, 4.5, 6.5]] * 4


def test_no_picture_is_larger_than_256() -> None:
    assert thumbnail(torch.zeros(3, 2000)).shape == (3, 256)
    assert thumbnail(torch.zeros(1000, 100, 3, 3)).shape == (256, 256)


def test_the_mask_shows_what_was_kept(stored: Callable[..., StoredLayer]) -> None:
    picture = kept_thumbnail(stored(Prune(threshold=1)))
    assert picture.tolist() == [[1, 0, 0, 1], [1, 0, 0, 0]]


def test_the_error_histogram_counts_every_weight(stored: Callable[..., StoredLayer]) -> None:
    counts, edges = error_histogram(stored(Prune(threshold=1)), bins=3)
    assert counts.tolist() == [2, 4, 2]  # errors -1, -0.5; -0.25, three of 0; 0.75, 1
    assert (edges[0], edges[-1]) == (-1, 1)


def test_the_error_histogram_of_an_exact_layer_is_one_spike(
    stored: Callable[..., StoredLayer],
) -> None:
    counts, _ = error_histogram(stored(), bins=3)
    assert counts.tolist() == [0, 8, 0]


def test_the_cut_by_hand(stored: Callable[..., StoredLayer]) -> None:
    cut = pruned_layer(stored(Prune(sparsity=0.5)))
    assert cut.threshold == 1.0  # of 0.25, 0.5, 0.75 and one of the two of size 1
    assert cut.sparsity == 0.5
    assert cut.energy_kept == pytest.approx((16 + 4 + 9 + 1) / (16 + 4 + 9 + 2 + 0.875))


def test_an_unpruned_layer_has_no_cut(stored: Callable[..., StoredLayer]) -> None:
    cut = pruned_layer(stored())
    assert (cut.threshold, cut.sparsity, cut.energy_kept) == (0, 0, 1)


def test_unpruned_factors_are_those_before_pruning(stored: Callable[..., StoredLayer]) -> None:
    plain = stored(Factorize(rank=1))
    pruned = stored(Factorize(rank=1), Prune(sparsity=0.5))
    for found, weight in zip(unpruned(pruned), plain.weights, strict=True):
        assert torch.equal(found, weight.values)


def view(stored: Callable[..., StoredLayer], step: Quantize, channel: int = 0) -> ScaleView:
    return scale_view(stored(), stored(step), step, channel)


def test_a_channel_shares_a_scale(stored: Callable[..., StoredLayer]) -> None:
    found = view(stored, Quantize(bits=3), channel=1)
    assert found.weights.tolist() == WEIGHT[1].tolist()
    assert found.clipped == 0


def test_a_group_shows_its_weights_alone(stored: Callable[..., StoredLayer]) -> None:
    found = view(stored, Quantize(bits=3, granularity="group", group_size=2))
    assert found.weights.tolist() == [4, -1]


def test_the_tensor_shows_all_weights(stored: Callable[..., StoredLayer]) -> None:
    assert view(stored, Quantize(bits=8, granularity="tensor")).weights.size == 8


def test_the_clipped_tails_are_counted(stored: Callable[..., StoredLayer]) -> None:
    step = Quantize(bits=8, granularity="tensor", clipping="percentile", percentile=75)
    assert view(stored, step).clipped == 2 / 8  # 4 and 3


def test_a_weight_half_a_step_beyond_the_levels_is_not_clipped(
    stored: Callable[..., StoredLayer],
) -> None:
    step = Quantize(bits=2, scheme="asymmetric")  # levels -1.25, 0, 1.25, 2.5; the largest is 3
    assert view(stored, step, channel=1).clipped == 0


def test_the_noise_is_that_of_the_weights_shown(stored: Callable[..., StoredLayer]) -> None:
    step = Quantize(bits=3)
    before, after = stored(), stored(step)
    error = (after.dense - before.dense)[0]
    expected = 10 * math.log10(float(before.dense[0].square().sum() / error.square().sum()))
    assert view(stored, step).sqnr_db == pytest.approx(expected)


def test_what_is_not_quantized_shows_who_would_share_a_scale(
    stored: Callable[..., StoredLayer],
) -> None:
    found = scale_view(stored(), stored(), Quantize(granularity="tensor"), 0)
    assert (found.weights.size, found.clipped, found.sqnr_db) == (8, 0, None)


def test_the_levels_are_those_of_the_channel(stored: Callable[..., StoredLayer]) -> None:
    found = view(stored, Quantize(bits=3), channel=1)
    assert (found.levels.tolist(), found.level_count, found.scale) == (
        [-3, -2, -1, 0, 1, 2, 3],
        7,
        1.0,
    )


def test_of_many_levels_the_ends_are_told(stored: Callable[..., StoredLayer]) -> None:
    found = view(stored, Quantize(bits=16), channel=1)
    assert found.level_count == 2**16 - 1
    assert found.levels.tolist() == pytest.approx([-3, 3])


def test_ternary_weights_say_what_becomes_zero(stored: Callable[..., StoredLayer]) -> None:
    found = scale_view(stored(), stored(Ternarize()), Quantize(), 0)
    assert (found.weights.tolist(), found.levels.tolist()) == (WEIGHT[0].tolist(), [-3, 0, 3])
    assert found.zeroed == 1  # Δ = 0.7 · 1.875


def test_floats_of_16_bits_share_one_scale(stored: Callable[..., StoredLayer]) -> None:
    found = scale_view(stored(), stored(QuantizeFloat("fp16")), Quantize(), 0)
    assert (found.weights.size, found.scale, found.sqnr_db) == (8, 1, None)


def test_a_microscaled_layer_shows_its_first_block(stored: Callable[..., StoredLayer]) -> None:
    found = scale_view(stored(), stored(QuantizeMX("mxfp4")), Quantize(), 0)
    assert found.weights.size == 4  # a row is shorter than a block
    assert found.scale is not None
    assert (found.levels / found.scale).tolist() == [
        *(-6, -4, -3, -2, -1.5, -1, -0.5, 0),
        *(0.5, 1, 1.5, 2, 3, 4, 6),
    ]


def test_the_inputs_by_hand() -> None:
    values = torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0, 9.0])
    quantizer = InputQuantizer(2, torch.tensor(1.0), torch.tensor(0, dtype=torch.uint8))
    found = input_view(values, quantizer, bins=2)
    assert found.levels.tolist() == [0, 1, 2, 3]
    assert (found.low, found.high) == (-0.5, 3.5)
    assert (found.counts.tolist(), found.edges.tolist()) == ([3, 1], [1, 5, 9])
    assert (found.zeros, found.clipped) == (pytest.approx(2 / 6), pytest.approx(1 / 6))
    assert found.sqnr_db == pytest.approx(10 * math.log10((1 + 4 + 9 + 81) / 36))


def test_a_dynamic_quantizer_takes_the_range_of_the_inputs_shown() -> None:
    found = input_view(torch.tensor([0.0, -1.0, 2.0]), InputQuantizer(2))
    assert found.levels.tolist() == [-1, 0, 1, 2]
    assert found.sqnr_db is None


def test_the_low_rank_view_subtracts(stored: Callable[..., StoredLayer]) -> None:
    layer = stored(Factorize(rank=1))
    view = low_rank_view(layer)
    assert list(view) == ["W", "W′", "W − W′"]
    assert np.array_equal(view["W′"], layer.dense.numpy())
    np.testing.assert_array_equal(view["W − W′"], (WEIGHT - layer.dense).numpy())
