"""A network of ResNet-18's shape, 11.7 M weights, untrained: no weights are downloaded.

Its images are 64 x 64, so that 256 of them pass in seconds; the weights are the same as for 224.
"""

import torch
from torch import Tensor, nn

from compress_core import Original
from compress_core.data import Dataset

CLASSES, SIDE, IMAGES = 1000, 64, 256


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut, projected where the shape changes.

    Source: He et al. 2015, 1512.03385.
    """

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = nn.Sequential()
        if before != width:
            projection = nn.Conv2d(before, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def resnet18() -> nn.Module:
    """With random weights and norms, the same each time, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts: list[nn.Module] = [
            nn.Conv2d(3, 64, 7, 2, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        before = 64
        for width in (64, 128, 256, 512):
            parts += [Block(before, width, 1 + (before != width)), Block(width, width, 1)]
            before = width
        head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, CLASSES))
        network = nn.Sequential(*parts, *head)
        for part in network.modules():
            if isinstance(part, nn.BatchNorm2d):
                assert part.running_var is not None
                nn.init.uniform_(part.weight, 0.5, 1.5)
                nn.init.uniform_(part.running_var, 0.5, 1.5)
    return network.eval()


def original() -> Original:
    """The network with random images in place of its training data."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, 3, SIDE, SIDE, generator=generator)
    labels = torch.arange(IMAGES) % CLASSES
    names = tuple(map(str, range(CLASSES)))
    data = Dataset("noise", "train", images, labels, names)
    return Original(resnet18(), (3, SIDE, SIDE), name="resnet18", calibration=data)
