"""Recalibrate: the norms' statistics are measured again on the network so far."""

from torch import Tensor

from compress_core.inputs import count_rows, split_rows
from compress_core.methods import recalibration
from compress_core.methods.recalibration import BATCH, RecalibrateNorms
from compress_core.network import Names, Network


def recalibrate_norms(step: RecalibrateNorms, _names: Names, network: Network) -> Network:
    def make() -> dict[str, Tensor]:
        inputs = network.base.calibrate(step.samples, step.seed).data.inputs
        batches = (batch for batch in split_rows(inputs, BATCH) if count_rows(batch) > 1)
        return recalibration.recalibrated(network.weights_module, batches)

    return network.with_rest(step, make)


def refuse_norms(_step: RecalibrateNorms, _name: str, network: Network) -> str | None:
    if recalibration.norms_with_statistics(network.base.module):
        return None
    return (
        "is in a network without batch norms that keep statistics (or all of them are folded): "
        "there is nothing to recalibrate"
    )
