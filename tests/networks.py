"""Networks written as one forward function over named modules, for tests of any method."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Forward = Callable[..., Any]

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class Net(nn.Module):
    """A forward function over named parts."""

    def __init__(self, forward: Forward, **parts: nn.Module | nn.Parameter | Tensor) -> None:
        super().__init__()
        self.run = forward
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, *inputs: Tensor) -> Any:
        return self.run(self, *inputs)


def trained(module: nn.Module) -> nn.Module:
    """With norms as after a training, the same each time."""
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, NORMS) and part.running_mean is not None:
            part.running_mean.normal_(generator=generator)
            part.running_var.uniform_(0.5, 2, generator=generator)
            if part.affine:
                nn.init.normal_(part.weight, generator=generator)
                nn.init.normal_(part.bias, generator=generator)
    return module.eval()
