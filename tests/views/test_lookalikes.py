"""What looks like compression and is none, by hand-computed numbers and brute force."""

import numpy as np
import pytest
import torch

from compress_core import load_model
from compress_core.methods.weight_sharing import ShareWeights, share, sse
from compress_core.views.lookalikes import (
    cut_off_by_times_255,
    distinct_values,
    sse_of_values,
    with_max_norm,
    zeros_kept_without_zero_point,
)


def test_without_a_zero_point_no_zero_survives_unless_a_level_lies_on_it() -> None:
    off = torch.tensor([[-1.0, 0.0, 0.0, 2.5]])  # levels of 2 bits: -1, 1/6, 4/3, 2.5
    on = torch.tensor([[-1.0, 0.0, 0.0, 2.0]])  # -1, 0, 1, 2
    assert zeros_kept_without_zero_point(off, 2) == 0
    assert zeros_kept_without_zero_point(on, 2) == 1


def test_a_weight_without_zeros_is_refused() -> None:
    with pytest.raises(ValueError, match="prune it first"):
        zeros_kept_without_zero_point(torch.ones(2, 2), 4)


def test_times_255_cuts_off_all_that_is_not_between_0_and_1() -> None:
    assert cut_off_by_times_255(torch.tensor([-0.5, 0.0, 0.5, 1.0, 1.5])) == pytest.approx(0.4)


def test_a_max_norm_shortens_long_rows_alone_as_torch_renorm_does() -> None:
    weight = torch.tensor([[3.0, 4.0], [0.3, 0.4]])
    found = with_max_norm(weight, 1.0)
    assert torch.allclose(found, torch.renorm(weight, 2, 0, 1.0), atol=1e-5)
    assert found.tolist()[1] == weight.tolist()[1]


def test_a_max_norm_makes_no_weights_equal() -> None:
    weight = load_model("digits-mlp").layers["fc2"].weight
    before, after = distinct_values(weight), distinct_values(with_max_norm(weight, 0.5))
    assert after > 0.99 * before


def test_each_weight_takes_the_nearest_value() -> None:
    weight, values = torch.randn(6, 7), (0.5, -1.0, 0.1)
    brute = np.min((weight.double().numpy().ravel()[:, None] - np.array(values)) ** 2, axis=1)
    assert sse_of_values(weight, values) == pytest.approx(float(brute.sum()))


def test_the_optimum_has_the_error_that_k_means_counts() -> None:
    weight = load_model("digits-mlp").layers["fc2"].weight
    shared = share(weight, ShareWeights(clusters=4))
    found = sse_of_values(weight, shared.codebook.tolist())
    assert found == pytest.approx(sse(weight, shared), rel=1e-6)


def test_a_codebook_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        sse_of_values(torch.ones(2), ())
