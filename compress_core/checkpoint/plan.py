"""What steps do to one tensor, block by block: what needs the whole tensor is decided beforehand.

A threshold, a scale of the whole tensor and a codebook depend on all weights, and come from the
census; everything else (scales of channels and groups) is decided within a row. So a block of rows
is stored as the whole tensor would be.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compress_core.applying.quantize import CODES, WeightStep
from compress_core.checkpoint.census import Census
from compress_core.methods.pruning import Prune
from compress_core.methods.pruning.ranking import smallest_mask
from compress_core.methods.quantization import (
    Binarize,
    FloatCoded,
    Quantized,
    QuantizeMX,
    encode_float,
    quantize_mx,
)
from compress_core.methods.quantization.microscaling import tensor_scale_for
from compress_core.methods.quantization.ranges import round_to_codes
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.weight_sharing import Shared, ShareWeights, share
from compress_core.recipe import Recipe, format_step
from compress_core.steps import AnyStep
from compress_core.storage.streams import Codes, StoredWeight, weight_of
from compress_core.weights import Profile

Code = Callable[[Tensor], Codes]

SAMPLE = 1 << 18  # quantiles of a large tensor that stand for all of it


@dataclass(frozen=True, eq=False)
class Plan:
    """How blocks of a tensor are pruned and coded: the `count` smallest weights fall, the largest
    of them being `threshold`; `code` is None where floats stay floats. `one_scale`: scale or
    codebook are those of the whole tensor, and stand in a file once."""

    count: int = 0
    threshold: float = 0.0
    ties: int = 0  # weights of exactly |threshold| that fall, the first in the tensor
    code: Code | None = None
    one_scale: bool = False

    def store(
        self, blocks: Iterable[Tensor], share_seen: float = 1.0
    ) -> Iterator[tuple[Tensor, StoredWeight]]:
        """Each block, and how it is stored; together they are the share `share_seen` of the
        tensor."""
        ties = round(self.ties * share_seen)
        for block in blocks:
            tied = min(ties, int((block.abs() == self.threshold).sum())) if ties else 0
            ties -= tied
            pruned = self._prune(block, tied)
            coded = weight_of(self.code(pruned)) if self.code else StoredWeight(Profile(pruned))
            yield block, coded

    def _prune(self, block: Tensor, tied: int) -> Tensor:
        if not self.count:
            return block
        below = int((block.abs() < self.threshold).sum())
        return torch.where(smallest_mask(block, below + tied, self.threshold), block, 0.0)


def check_steps(steps: Recipe) -> None:
    """Raise ValueError for steps that need a network, that name layers, or that one tensor cannot
    take together."""
    for step in steps:
        if not isinstance(step, Prune | ShareWeights | WeightStep):
            raise ValueError(
                f"{format_step(step)} needs a network, its inputs or its data; weights alone take "
                "prune, quantize, quantize_float, quantize_mx, ternarize, binarize and share"
            )
        if step.layers != ALL_LAYERS:
            raise ValueError(
                f"{format_step(step)} names layers, and a checkpoint has tensors; leave layers= out"
            )
    kinds = [step.kind for step in steps]
    if len(set(kinds)) < len(kinds) or {"quantize", "share"} <= set(kinds):
        raise ValueError(
            f"{'; '.join(map(format_step, steps))}: a tensor takes one step that prunes, and one "
            "that quantizes or shares; leave out the others"
        )


def make_plan(steps: Recipe, census: Census, *, whole: bool) -> Plan:
    """The plan for a tensor. `whole`: all of it comes as one block, which then decides by itself.

    Raises ValueError for what `check_steps` refuses, for NaN or infinite weights, for a threshold
    that leaves no weight, and for signs of pruned weights.
    """
    check_steps(steps)
    if census.non_finite and steps:
        raise ValueError(
            f"{census.non_finite:,} weights are NaN or infinite, and no step means anything to "
            "them; replace them where the file was made"
        )
    by_kind = {step.kind: step for step in steps}
    plan = _planned_pruning(by_kind.get("prune"), census)
    step = by_kind.get("quantize") or by_kind.get("share")
    if step is None:
        return plan
    if isinstance(step, Binarize) and plan.count:
        raise ValueError("binary codes have no zero for pruned weights; ternarize or quantize them")
    left = census.pruned(plan.threshold) if plan.count else census
    code, one_scale = _planned_codes(step, left, whole=whole)
    return replace(plan, code=code, one_scale=one_scale)


def _planned_pruning(step: AnyStep | None, census: Census) -> Plan:
    """Exactly as many fall as the core prunes of such a layer."""
    if not isinstance(step, Prune):
        return Plan()
    if step.sparsity is not None:
        count = min(round(step.sparsity * census.weights), census.weights - 1)
    else:
        threshold = (
            step.threshold if step.threshold is not None else (step.sigmas or 0) * census.std
        )
        count = census.count_below(threshold)
        if count == census.weights:
            raise ValueError(
                f"a threshold of {threshold:.4g} prunes every weight; the largest magnitude is "
                f"{census.limit:.4g}: stay below it"
            )
    threshold = census.threshold_at(count)
    strictly = int(census.counts[abs(census.values) < threshold].sum())
    return Plan(count, threshold, count - strictly)


def _planned_codes(step: AnyStep, left: Census, *, whole: bool) -> tuple[Code, bool]:
    """How a block is coded, and whether scale or codebook serve the whole tensor."""
    if isinstance(step, ShareWeights):
        return ((lambda block: share(block, step)) if whole else _by_codebook(step, left)), True
    assert isinstance(step, WeightStep)
    if isinstance(step, QuantizeMX) and not whole:
        tensor_scale = tensor_scale_for(torch.tensor(left.limit), step.format)
        return (lambda block: quantize_mx(block, step, tensor_scale)), False
    one_scale = getattr(step, "granularity", None) == "tensor"
    if whole or not one_scale:
        return (lambda block: CODES[type(step)](block, step)), one_scale
    return _by_one_scale(step, left), True


def _by_codebook(step: ShareWeights, left: Census) -> Code:
    """The codebook of a sample; each weight is the nearest of its values."""
    codebook = share(torch.from_numpy(left.sample(SAMPLE)), step).codebook
    middles = (codebook[1:] + codebook[:-1]) / 2
    return lambda block: Shared(codebook, torch.bucketize(block, middles).int())


def _by_one_scale(step: WeightStep, left: Census) -> Code:
    """The scale that the step finds on a sample, which has the least and the greatest weight."""
    drawn = CODES[type(step)](torch.from_numpy(left.sample(SAMPLE))[None], step)
    if isinstance(drawn, FloatCoded):
        scale, format_ = drawn.scale, drawn.format
        return lambda block: replace(drawn, codes=encode_float(block / scale, format_))
    assert isinstance(drawn, Quantized)

    def code(block: Tensor) -> Codes:
        codes = round_to_codes(
            block, drawn.scale, drawn.zero_point, bits=drawn.bits, scheme=drawn.scheme
        )
        return replace(drawn, codes=codes.to(torch.int32))

    return code
