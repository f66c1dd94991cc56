"""The steps that exist, one row each: all that the rest of the project asks of a step's type.

To add a method, add a row here; JSON, text and the command line read the step's own fields.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args

from compress_core.applying.activations import quantize_inputs, refuse_inputs
from compress_core.applying.correct import correct_biases, refuse_correction
from compress_core.applying.factorize import factorize_layers, refuse_factors
from compress_core.applying.fold import fold_norms, refuse_fold
from compress_core.applying.prune import (
    SCORES,
    ScoreStep,
    prune_at_random,
    prune_by_magnitude,
    prune_by_score,
    prune_in_groups,
    refuse_scores,
    refuse_sigmas,
)
from compress_core.applying.quantize import (
    quantize_layers,
    quantize_with_feedback,
    refuse_feedback,
    refuse_signs,
)
from compress_core.applying.recalibrate import recalibrate_norms, refuse_norms
from compress_core.applying.rest import quantize_rest, refuse_rest
from compress_core.applying.retraining import (
    refuse_codes,
    refuse_floats,
    refuse_other_codes,
    refuse_rewinding,
)
from compress_core.applying.share import refuse_sharing, share_layers
from compress_core.applying.structured import refuse_removal, remove_channels
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    Binarize,
    CorrectBias,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    QuantizeRest,
    Ternarize,
)
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.methods.retraining import (
    Distil,
    FineTune,
    GradualPrune,
    L1Prune,
    QuantizeAware,
    RateTrain,
    Rewind,
)
from compress_core.methods.structured import IMPORTANCES, PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.network import Names, Network

__all__ = [
    "BY_NAME",
    "BY_TYPE",
    "KINDS",
    "LAYER_KINDS",
    "NETWORK_KINDS",
    "ROWS",
    "TRAINING",
    "AnyStep",
    "Binarize",
    "CorrectBias",
    "Distil",
    "Factorize",
    "FineTune",
    "FoldBatchNorm",
    "GradualPrune",
    "L1Prune",
    "Prune",
    "PruneNM",
    "PruneStructured",
    "PruneTaylor",
    "PruneWanda",
    "Quantize",
    "QuantizeActivations",
    "QuantizeAware",
    "QuantizeFloat",
    "QuantizeGPTQ",
    "QuantizeMX",
    "QuantizeRest",
    "RandomPrune",
    "RateTrain",
    "RecalibrateNorms",
    "Rewind",
    "Row",
    "ShareWeights",
    "Ternarize",
    "row_of",
]

# The order in which kinds act. Steps of NETWORK_KINDS make another network, whose layers have the
# names they had before. Steps of LAYER_KINDS change how layers are stored. A training step ends a
# stage: in the next one the kinds act again, on what training gave.
NETWORK_KINDS = ("fold", "structured")
LAYER_KINDS = (
    *("factorize", "prune", "quantize", "share", "correct", "recalibrate", "rest", "activations"),
)
TRAINING = "train"
KINDS = (*NETWORK_KINDS, *LAYER_KINDS, TRAINING)

# As a union, so that mypy finds a place that forgets a step (`assert_never`); ROWS has the same.
AnyStep = (
    FoldBatchNorm
    | PruneStructured
    | Factorize
    | Prune
    | RandomPrune
    | PruneNM
    | PruneTaylor
    | PruneWanda
    | Quantize
    | QuantizeFloat
    | QuantizeMX
    | Binarize
    | Ternarize
    | QuantizeGPTQ
    | ShareWeights
    | CorrectBias
    | RecalibrateNorms
    | QuantizeRest
    | QuantizeActivations
    | FineTune
    | GradualPrune
    | L1Prune
    | Rewind
    | QuantizeAware
    | Distil
    | RateTrain
)


def _no(_step: Any) -> bool:
    return False


def _yes(_step: Any) -> bool:
    return True


def _takes_all(_step: Any, _name: str, _network: Network) -> None:
    return None


@dataclass(frozen=True)
class Row:
    """One type of step; its functions are given such a step.

    name: its name in texts and JSON. apply: what it does to the layers called `names`, all of them
    able, of the network so far; None for steps that train, whose results are kept (see `trained`).
    refusal: why a layer cannot take it, None where it can. sees_data:
    whether it looks at training images, and so takes longer. couples: whether what it does to a
    layer depends on the other layers that it wins.
    """

    name: str
    type: type[AnyStep]
    apply: Callable[[Any, Names, Network], Network] | None
    refusal: Callable[[Any, str, Network], str | None] = _takes_all
    sees_data: Callable[[Any], bool] = _no
    couples: Callable[[Any], bool] = _no

    @property
    def kind(self) -> str:
        return self.type.kind

    def has(self, field: str) -> bool:
        """Whether such a step has a field of this name, such as "samples"."""
        return any(found.name == field for found in fields(self.type))


def _is_global(step: Prune | ScoreStep) -> bool:
    return step.scope == "global" and step.sparsity is not None


def _sees_outputs(step: PruneStructured) -> bool:
    return IMPORTANCES[step.importance] is not None


def _is_whitened(step: Factorize) -> bool:
    return step.whiten


def _has_budget(step: Factorize) -> bool:
    return step.budget is not None


def _has_one_codebook(step: ShareWeights) -> bool:
    return step.scope == "all"


def _is_static(step: QuantizeActivations) -> bool:
    return step.mode == "static"


def _training(
    name: str,
    step_type: type[AnyStep],
    refusal: Callable[[Any, str, Network], str | None] = _takes_all,
) -> Row:
    return Row(name, step_type, None, refusal, sees_data=_yes, couples=_yes)


ROWS = (
    Row("fold", FoldBatchNorm, fold_norms, refuse_fold),
    Row(
        "prune_structured",
        PruneStructured,
        remove_channels,
        refuse_removal,
        sees_data=_sees_outputs,
        couples=_yes,
    ),
    Row(
        "factorize",
        Factorize,
        factorize_layers,
        refuse_factors,
        sees_data=_is_whitened,
        couples=_has_budget,
    ),
    Row("prune", Prune, prune_by_magnitude, refuse_sigmas, couples=_is_global),
    Row("random_prune", RandomPrune, prune_at_random),
    Row("prune_nm", PruneNM, prune_in_groups),
    Row(
        "prune_taylor",
        PruneTaylor,
        prune_by_score,
        refuse_scores,
        sees_data=_yes,
        couples=_is_global,
    ),
    Row(
        "prune_wanda",
        PruneWanda,
        prune_by_score,
        refuse_scores,
        sees_data=_yes,
        couples=_is_global,
    ),
    Row("quantize", Quantize, quantize_layers),
    Row("quantize_float", QuantizeFloat, quantize_layers),
    Row("quantize_mx", QuantizeMX, quantize_layers),
    Row("binarize", Binarize, quantize_layers, refuse_signs),
    Row("ternarize", Ternarize, quantize_layers),
    Row("quantize_gptq", QuantizeGPTQ, quantize_with_feedback, refuse_feedback, sees_data=_yes),
    Row("share", ShareWeights, share_layers, refuse_sharing, couples=_has_one_codebook),
    Row("correct_bias", CorrectBias, correct_biases, refuse_correction, sees_data=_yes),
    Row("recalibrate_norms", RecalibrateNorms, recalibrate_norms, refuse_norms, sees_data=_yes),
    Row("quantize_rest", QuantizeRest, quantize_rest, refuse_rest),
    Row(
        "quantize_activations",
        QuantizeActivations,
        quantize_inputs,
        refuse_inputs,
        sees_data=_is_static,
    ),
    _training("finetune", FineTune),
    _training("gradual_prune", GradualPrune, refuse_codes),
    _training("l1_prune", L1Prune, refuse_codes),
    _training("rewind", Rewind, refuse_rewinding),
    _training("qat", QuantizeAware, refuse_floats),
    _training("distil", Distil),
    _training("rate_train", RateTrain, refuse_other_codes),
)
BY_NAME = {row.name: row for row in ROWS}
BY_TYPE = {row.type: row for row in ROWS}
assert SCORES.keys() == {row.type for row in ROWS if row.apply is prune_by_score}, (
    "a step that prunes by scores is not in SCORES, or the reverse"
)
assert BY_TYPE.keys() == set(get_args(AnyStep)), "a step of the union has no row, or the reverse"


def row_of(step: AnyStep) -> Row:
    """The row of a step's type."""
    return BY_TYPE[type(step)]
