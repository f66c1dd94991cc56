"""Retraining: steps that give the stored layers better values by gradients.

One method a file: the step, its formula, its source. How they are run stands in `training`.
"""

from compress_core.methods.retraining.distillation import Distil, distillation_loss
from compress_core.methods.retraining.finetuning import FineTune
from compress_core.methods.retraining.gradual import GradualPrune, Schedule, sparsity_at
from compress_core.methods.retraining.proximal import L1Prune, soft_threshold
from compress_core.methods.retraining.rate import RateTrain, code_lengths, relaxed_bits
from compress_core.methods.retraining.step_size import QuantizeAware, learned_steps
from compress_core.methods.retraining.ticket import Rewind

__all__ = [
    "Distil",
    "FineTune",
    "GradualPrune",
    "L1Prune",
    "QuantizeAware",
    "RateTrain",
    "Rewind",
    "Schedule",
    "code_lengths",
    "distillation_loss",
    "learned_steps",
    "relaxed_bits",
    "soft_threshold",
    "sparsity_at",
]
