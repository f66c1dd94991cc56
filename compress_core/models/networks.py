"""The reference networks: small enough to measure live, real enough to teach every method.

All of them take images in [0, 1] with shape (B, C, H, W) and return logits (B, classes).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def digits_mlp() -> nn.Module:
    """64-300-100-10, the LeNet-300-100 of scikit-learn's 8 x 8 digits."""
    return MLP((64, 300, 100, 10))


def digits_cnn() -> nn.Module:
    """Two 3 x 3 convolutions and two linear layers for 8 x 8 digits."""
    return DigitsCNN()


def digits_transformer() -> nn.Module:
    """A tiny vision transformer: 16 patches of 2 x 2, two blocks of width 48."""
    return VisionTransformer(image_size=8, patch_size=2, width=48, depth=2, heads=4, classes=10)


def mnist_lenet_300_100() -> nn.Module:
    """784-300-100-10 (LeCun 1998), 266,610 parameters."""
    return MLP((784, 300, 100, 10))


def mnist_lenet_5() -> nn.Module:
    """Caffe's LeNet-5: 20-50-500-10, 431,080 parameters, the one Deep Compression measures."""
    return LeNet5()


def fashion_cnn() -> nn.Module:
    """A small VGG: five 3 x 3 convolutions with batch norm, two linear layers."""
    return SmallVGG()


def cifar_resnet_20() -> nn.Module:
    """ResNet-20 (1512.03385, section 4.2) with projection shortcuts, 272,474 parameters."""
    return ResNet(blocks=3)


class MLP(nn.Module):
    """Linear layers fc1 … fcN with ReLU between them; the image is flattened first."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.names = tuple(f"fc{i}" for i in range(1, len(widths)))
        for name, (fan_in, fan_out) in zip(self.names, pairwise(widths), strict=True):
            self.add_module(name, nn.Linear(fan_in, fan_out))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)  # (B, C·H·W)
        for name in self.names[:-1]:
            x = functional.relu(self.get_submodule(name)(x))
        logits: Tensor = self.get_submodule(self.names[-1])(x)
        return logits


class DigitsCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(32 * 4 * 4, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x))  # (B, 16, 8, 8)
        x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)  # (B, 32, 4, 4)
        x = functional.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


class LeNet5(nn.Module):
    """As in Caffe's lenet.prototxt: no non-linearity after the convolutions but the pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc1 = nn.Linear(50 * 4 * 4, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(self.conv1(x), 2)  # (B, 20, 12, 12)
        x = functional.max_pool2d(self.conv2(x), 2)  # (B, 50, 4, 4)
        x = functional.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


class SmallVGG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = (1, 32, 32, 64, 64, 128)
        for i, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
            self.add_module(f"conv{i}", nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(fan_out))
        self.fc1 = nn.Linear(128 * 3 * 3, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        for i in range(1, 6):
            x = functional.relu(self.get_submodule(f"bn{i}")(self.get_submodule(f"conv{i}")(x)))
            if i in {2, 4, 5}:
                x = functional.max_pool2d(x, 2)  # 28 -> 14 -> 7 -> 3
        x = functional.relu(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(x)
        return logits


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm; where the size changes, 1 x 1 on the shortcut."""

    def __init__(self, fan_in: int, fan_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(fan_in, fan_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(fan_out)
        self.conv2 = nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(fan_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            projection = nn.Conv2d(fan_in, fan_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(fan_out))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        out: Tensor = functional.relu(self.bn2(self.conv2(y)) + self.shortcut(x))
        return out


class ResNet(nn.Module):
    """The CIFAR-10 networks of that paper: 6 · blocks + 2 layers, widths 16, 32, 64."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        widths = (16, 16, 32, 64)
        for stage, (fan_in, fan_out) in enumerate(pairwise(widths), start=1):
            shrinking = ResidualBlock(fan_in, fan_out, stride=fan_out // fan_in)
            rest = [ResidualBlock(fan_out, fan_out, stride=1) for _ in range(blocks - 1)]
            self.add_module(f"stage{stage}", nn.Sequential(shrinking, *rest))
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))  # (B, 16, 32, 32)
        for stage in (1, 2, 3):
            x = self.get_submodule(f"stage{stage}")(x)  # last: (B, 64, 8, 8)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class Attention(nn.Module):
    """Multi-head attention; `qkv` packs the three projections in one weight (3·width, width).

    A head's width is a field of its own: with heads removed, heads · head_width < width.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, self.head_width)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, tokens, head_width)
        x = functional.scaled_dot_product_attention(q, k, v)
        x = x.transpose(1, 2).reshape(batch, tokens, self.heads * self.head_width)
        out: Tensor = self.proj(x)
        return out


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a two-layer MLP, each with a residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))
        return out


class VisionTransformer(nn.Module):
    """ViT (2010.11929) without a class token: the mean over the patches is classified."""

    def __init__(
        self, image_size: int, patch_size: int, width: int, depth: int, heads: int, classes: int
    ) -> None:
        super().__init__()
        tokens = (image_size // patch_size) ** 2
        self.patches = nn.Conv2d(1, width, patch_size, stride=patch_size)
        self.positions = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions  # (B, tokens, width)
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x).mean(dim=1))
        return logits
