"""Set a student back to the weights that its network had before training, or early in it."""

import torch
from torch import nn

from compress_core.entering.copying import copy_network
from compress_core.methods.retraining import Rewind
from compress_core.network import Names, Network
from compress_core.training.constraints import Free
from compress_core.training.student import Student

RANDOM_OFFSET = 10_000  # seeds of the control arm, apart from those of reference networks


def begin_again(student: Student, network: Network, names: Names, fresh: nn.Module) -> None:
    """Give the layers called `names`, biases and norms the weights of a `fresh` network."""
    state = fresh.state_dict()
    keys = {network.layers[name].layer.key: network.layers[name].layer for name in names}
    with torch.no_grad():
        for key, layer in keys.items():
            free = student.constraints[key]
            assert isinstance(free, Free), "codes are refused"
            free.values.copy_(layer.outputs_first(state[key]))
        for key, tensor in student.moving_rest().items():
            tensor.copy_(state[key])
    student.settle()


def fresh_network(network: Network, step: Rewind) -> nn.Module:
    """The untrained network: as it began, or drawn anew from the step's seed."""
    seed = None if step.start == "initial" else RANDOM_OFFSET + step.seed
    if network.base.fresh is not None:
        return network.base.fresh(seed)
    with torch.random.fork_rng():
        torch.manual_seed(RANDOM_OFFSET + step.seed)
        return drawn_anew(network)


def drawn_anew(network: Network) -> nn.Module:
    """A copy whose modules have drawn their weights again, as their classes do."""
    module = copy_network(network.base.pristine)
    for part in module.modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
    return module
