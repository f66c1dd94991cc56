"""Scored and patterned pruning through compress(): the scores are those of the network itself."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from compress_core.applying.prune import SCORES, Scoring, prune_by_score, refuse_scores
from compress_core.compressed import compress
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, ScoreScope
from compress_core.network import start
from compress_core.original import Original


def test_wanda_ranks_by_what_each_layer_sees(digits_mlp: Original) -> None:
    dense = compress(digits_mlp, (PruneWanda(sparsity=0.5, samples=40),)).layers["fc2"].dense
    module, images = digits_mlp.module, digits_mlp.calibrate(40).data.images
    with torch.no_grad():
        inputs = functional.relu(module.fc1(images.flatten(1)))
    score = module.fc2.weight.abs() * inputs.norm(dim=0)
    for row, scores in zip(dense, score, strict=True):
        assert int(row.eq(0).sum()) == 150
        assert scores[row == 0].max() <= scores[row != 0].min()


def test_taylor_takes_the_weights_whose_loss_changes_least(digits_mlp: Original) -> None:
    step = PruneTaylor(sparsity=0.5, samples=40)
    layers = compress(digits_mlp, (step,)).layers
    data = digits_mlp.calibrate(40).data
    module = digits_mlp.with_module(digits_mlp.module).module.requires_grad_(True)
    functional.cross_entropy(module(data.images), data.labels).backward()
    scores = {n: (m.weight * m.weight.grad).abs() for n, m in module.named_children()}
    pruned = torch.cat([scores[name][s.dense == 0] for name, s in layers.items()])
    kept = torch.cat([scores[name][s.dense != 0] for name, s in layers.items()])
    assert len(pruned) == round(0.5 * (len(pruned) + len(kept)))
    assert pruned.max() <= kept.min() * (1 + 1e-4)  # sums in another order


def test_a_pattern_holds_in_every_factor(digits_mlp: Original) -> None:
    recipe = (Factorize(rank=8, layers=("fc1",)), PruneNM(n=1, m=4))
    for weight in compress(digits_mlp, recipe).layers["fc1"].weights:
        kept = weight.values.view(-1, 4).count_nonzero(dim=1)
        assert kept.tolist() == [1] * len(kept)


@pytest.mark.parametrize("step", [PruneTaylor(sparsity=0.5), PruneWanda(sparsity=0.5)])
def test_factors_have_no_scores(digits_mlp: Original, step: PruneTaylor | PruneWanda) -> None:
    recipe = (Factorize(rank=8, layers=("fc1",)), step)
    (left_out,) = compress(digits_mlp, recipe).skipped
    assert (left_out.step, left_out.layer) == (step, "fc1")
    words = r"fc1 is factorized to rank 8.*leave it out of one of the two steps.*by magnitude"
    with pytest.raises(ValueError, match=words):
        compress(digits_mlp, (recipe[0], replace(step, layers=("fc1",))))


def test_equal_counts_in_another_scope_are_another_mask(digits_mlp: Original) -> None:
    by_row = compress(digits_mlp, (PruneWanda(sparsity=0.5, layers=("fc2",)),))
    by_layer = compress(digits_mlp, (PruneWanda(sparsity=0.5, scope="layer", layers=("fc2",)),))
    masks = [c.layers["fc2"].dense == 0 for c in (by_row, by_layer)]
    assert masks[0].sum() == masks[1].sum()
    assert not torch.equal(*masks)


def test_without_training_data_a_scored_step_is_refused(digits_mlp: Original) -> None:
    bare = Original(digits_mlp.module, (1, 8, 8))
    with pytest.raises(ValueError, match=re.escape("came without training data")):
        compress(bare, (PruneWanda(sparsity=0.5),))
    compress(bare, (Prune(sparsity=0.5),))


@dataclass(frozen=True)
class PruneRight:
    """Prunes the columns on the left first: a score that looks at no data and draws nothing."""

    kind: ClassVar[str] = "prune"

    sparsity: float
    scope: ScoreScope = "row"
    layers: tuple[str, ...] = ("*",)


def test_a_score_needs_neither_data_nor_seed(
    linear_of: Callable[[Tensor], Original], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0, 4.0]] * 2)
    monkeypatch.setitem(SCORES, PruneRight, Scoring(lambda _step, _name, _base: scores))
    network = start(linear_of(torch.ones(2, 4)))
    step = PruneRight(0.5)
    assert refuse_scores(step, "fc", network) is None
    pruned = prune_by_score(step, ("fc",), network).layers["fc"]
    assert pruned.dense.tolist() == [[0, 0, 1, 1]] * 2
