"""Which layers a training step can train. The training itself stands in `training`."""

from typing import Any

from compress_core.methods.quantization import Quantized
from compress_core.methods.retraining import QuantizeAware, RateTrain, Rewind
from compress_core.methods.weight_sharing import Shared
from compress_core.network import Network


def refuse_codes(_step: Any, name: str, network: Network) -> str | None:
    """Why a step that makes zeros while it trains cannot take a layer."""
    if network.layers[name].codes is None:
        return None
    return (
        "is stored as codes, whose values cannot become zero one by one: prune in an earlier stage"
    )


def refuse_rewinding(step: Rewind, name: str, network: Network) -> str | None:
    stored = network.layers[name]
    if stored.codes is not None:
        return "is stored as codes, which the network did not begin with: rewind before that"
    if stored.form != "plain":
        return "is stored as factors, which the network did not begin with: rewind before that"
    if step.start == "initial" and network.base.fresh is None:
        return (
            "began with weights that nobody kept: only reference networks know theirs; take "
            "start=random"
        )
    return None


def refuse_floats(_step: QuantizeAware, name: str, network: Network) -> str | None:
    codes = network.layers[name].codes
    if codes is None:
        return "has float weights, and no rounding to train through: quantize it before"
    if isinstance(codes, Shared):
        return "is stored as indices of a codebook, which finetune trains"
    return None


def refuse_other_codes(_step: RateTrain, name: str, network: Network) -> str | None:
    if isinstance(network.layers[name].codes, Quantized):
        return None
    return "has no affine codes whose length could be trained: quantize it before"
