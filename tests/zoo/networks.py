"""Tiny networks as other people write them: in-place operations, concatenations, tied weights, …

Each is built as `NETWORKS[name].build()`, from weights of the global generator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.networks import Net


@dataclass(frozen=True)
class Animal:
    """How to build a network, the shape of each of its inputs without the batch, and the count of
    tokens where those are token indices."""

    build: Callable[[], nn.Module]
    shapes: tuple[tuple[int, ...], ...]
    tokens: int | None = None


class ResidualBlock(nn.Module):
    """As in torchvision: one ReLU in place for all, and a sum in place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x
        out: Tensor = self.relu(y)
        return out


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(ResidualBlock(8))
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer1(self.relu(self.bn1(self.conv1(x))))
        out: Tensor = self.fc(x.mean((2, 3)))
        return out


def conv_norm_relu6(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """MobileNetV2's block: wider, depthwise, narrower, and the input added."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            conv_norm_relu6(6, 12, 1),
            conv_norm_relu6(12, 12, 3, groups=12),
            nn.Conv2d(12, 6, 1, bias=False),
            nn.BatchNorm2d(6),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv(x)
        return out


def mobile_net() -> nn.Module:
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(6, 4))
    return nn.Sequential(conv_norm_relu6(3, 6, 3), InvertedResidual(), *pool)


class DenseNet(nn.Module):
    """Each layer reads all that were before it, concatenated; norms come first."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(6 + 4 * i) for i in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(6 + 4 * i, 4, 3, padding=1) for i in range(2))
        self.classifier = nn.Linear(14, 4)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            features.append(conv(functional.relu(norm(torch.cat(features, 1)), inplace=True)))
        pooled = functional.adaptive_avg_pool2d(torch.cat(features, 1), (1, 1))
        out: Tensor = self.classifier(torch.flatten(pooled, 1))
        return out


class ShuffleNet(nn.Module):
    """Half of the channels pass, half are convolved, and both are shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.branch = nn.Sequential(
            nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        )
        self.grouped = nn.Conv2d(8, 8, 1, groups=2)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        kept, worked = self.stem(x).chunk(2, dim=1)
        x = torch.cat((kept, self.branch(worked)), 1)
        batch, channels, height, width = x.size()
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        x = self.grouped(x.view(batch, -1, height, width))
        out: Tensor = self.fc(x.mean([2, 3]))
        return out


class UNet(nn.Module):
    """Down, up by a transposed convolution, and the skip concatenated; a mask comes out."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(True))
        self.middle = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(True))
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.out = nn.Conv2d(12, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        deep = self.up(self.middle(functional.max_pool2d(skip, 2)))
        out: Tensor = self.out(torch.cat([skip, deep], dim=1))
        return out


class SequenceNet(nn.Module):
    """A recurrent layer over tokens, and a head on its last state."""

    def __init__(self, kind: type[nn.RNNBase], **options: Any) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6, padding_idx=0)
        self.rnn = kind(6, 5, batch_first=True, **options)
        self.fc = nn.Linear(5 * (1 + self.rnn.bidirectional), 4)

    def forward(self, x: Tensor) -> Tensor:
        outputs, _ = self.rnn(self.embedding(x))
        out: Tensor = self.fc(outputs[:, -1])
        return out


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class GroupedQueryAttention(nn.Module):
    def __init__(self, width: int, heads: int, shared: int) -> None:
        super().__init__()
        self.heads, self.shared, self.head_dim = heads, shared, width // heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, shared * self.head_dim, bias=False)
        self.v_proj = nn.Linear(width, shared * self.head_dim, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q = self.q_proj(x).view(batch, length, self.heads, self.head_dim).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, self.shared, self.head_dim).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, self.shared, self.head_dim).transpose(1, 2)
        k, v = (part.repeat_interleave(self.heads // self.shared, dim=1) for part in (k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.o_proj(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


class DecoderBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(8), RMSNorm(8)
        self.attention = GroupedQueryAttention(8, 4, 2)
        self.gate_proj = nn.Linear(8, 12, bias=False)
        self.up_proj = nn.Linear(8, 12, bias=False)
        self.down_proj = nn.Linear(12, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        h = self.norm2(x)
        out: Tensor = x + self.down_proj(functional.silu(self.gate_proj(h)) * self.up_proj(h))
        return out


class Decoder(nn.Module):
    """As today's language models: one block, and a head tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(20, 8)
        self.block = DecoderBlock()
        self.norm = RMSNorm(8)
        self.lm_head = nn.Linear(8, 20, bias=False)
        self.lm_head.weight = self.embed_tokens.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lm_head(self.norm(self.block(self.embed_tokens(x))))
        return out


class ConvNeXtBlock(nn.Module):
    """Depthwise, a norm over the last axis, two dense layers, and a learned scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 2 * width)
        self.act = nn.GELU()
        self.pwconv2 = nn.Linear(2 * width, width)
        self.gamma = nn.Parameter(0.5 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))  # B H W C
        y = self.gamma * self.pwconv2(self.act(self.pwconv1(y)))
        return x + y.permute(0, 3, 1, 2)


def conv_next() -> nn.Module:
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))
    return nn.Sequential(nn.Conv2d(3, 6, 2, stride=2), ConvNeXtBlock(6), *pool)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(5, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, dim_feedforward=12, batch_first=True)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.encoder(self.embedding(x)).mean(1))
        return out


def shared_forward(net: Any, x: Tensor) -> Tensor:
    h = functional.relu(net.stem(x))
    for _ in range(2):
        h = functional.relu(net.norm(net.shared(h)))
    return net.fc(h)


def shared() -> nn.Module:
    parts = {"stem": nn.Linear(5, 6), "shared": nn.Linear(6, 6), "norm": nn.BatchNorm1d(6)}
    return Net(shared_forward, **parts, fc=nn.Linear(6, 4))


def weight_norm() -> nn.Module:
    norm = nn.utils.parametrizations.weight_norm
    return nn.Sequential(
        norm(nn.Conv1d(3, 6, 3, padding=1)), nn.ELU(), nn.Flatten(), norm(nn.Linear(48, 4))
    )


def conv1d() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 8, 3, padding=2, dilation=2),
        nn.BatchNorm1d(8),
        nn.ReLU(inplace=True),
        nn.MaxPool1d(2),
        nn.Conv1d(8, 6, 3),
        nn.LeakyReLU(0.1, inplace=True),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )


def conv3d() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(2, 6, 3, padding=1),
        nn.BatchNorm3d(6),
        nn.ReLU(inplace=True),
        nn.Conv3d(6, 4, 2),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(4, 4),
    )


def functional_forward(net: Any, x: Tensor) -> Tensor:
    h = functional.relu(functional.conv2d(x, net.kernel, net.kernel_bias, padding=1))
    return functional.linear(functional.relu(net.fc(h.mean((2, 3)))), net.w, net.b)


def functional_weights() -> nn.Module:
    return Net(
        functional_forward,
        kernel=nn.Parameter(0.3 * torch.randn(6, 3, 3, 3)),
        kernel_bias=nn.Parameter(torch.randn(6)),
        fc=nn.Linear(6, 8),
        w=nn.Parameter(0.3 * torch.randn(4, 8)),
        b=nn.Parameter(torch.randn(4)),
    )


def two_inputs_forward(net: Any, image: Tensor, numbers: Tensor) -> Tensor:
    seen = functional.relu(net.norm(net.conv(image))).mean((2, 3))
    told = functional.relu(net.numbers(numbers))
    return net.fc(functional.relu(net.mix(torch.cat([seen, told], 1))))


def two_inputs() -> nn.Module:
    return Net(
        two_inputs_forward,
        conv=nn.Conv2d(3, 6, 3, padding=1),
        norm=nn.BatchNorm2d(6),
        numbers=nn.Linear(5, 6),
        mix=nn.Linear(12, 8),
        fc=nn.Linear(8, 4),
    )


def dict_forward(net: Any, x: Tensor) -> dict[str, Tensor]:
    h = functional.relu(net.backbone(x))
    return {"logits": net.head(h), "boxes": net.boxes(h).sigmoid()}


def dict_output() -> nn.Module:
    return Net(dict_forward, backbone=nn.Linear(5, 8), head=nn.Linear(8, 4), boxes=nn.Linear(8, 2))


def bf16() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, 4),
    ).bfloat16()


def norm_behind_linear() -> nn.Module:
    return nn.Sequential(
        nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(8, 4)
    )


def viewing_forward(net: Any, x: Tensor) -> Tensor:
    x = net.pool(functional.relu(net.conv(x)))
    x = x.view(-1, 6 * 3 * 3)
    return net.fc2(functional.relu(net.fc1(x)))


def viewing() -> nn.Module:
    parts = {"conv": nn.Conv2d(3, 6, 3, padding=1), "pool": nn.MaxPool2d(2, 2)}
    return Net(viewing_forward, **parts, fc1=nn.Linear(54, 8), fc2=nn.Linear(8, 4))


IMAGE = ((3, 6, 6),)
NUMBERS = ((5,),)
TOKENS = ((7,),)
NETWORKS: dict[str, Animal] = {
    "resnet": Animal(ResNet, IMAGE),
    "mobile net": Animal(mobile_net, IMAGE),
    "dense net": Animal(DenseNet, IMAGE),
    "shuffle net": Animal(ShuffleNet, IMAGE),
    "u-net": Animal(UNet, IMAGE),
    "lstm": Animal(lambda: SequenceNet(nn.LSTM, bidirectional=True), TOKENS, 20),
    "gru": Animal(lambda: SequenceNet(nn.GRU), TOKENS, 20),
    "decoder": Animal(Decoder, TOKENS, 20),
    "convnext": Animal(conv_next, IMAGE),
    "encoder": Animal(Encoder, ((6, 5),)),
    "shared": Animal(shared, NUMBERS),
    "weight norm": Animal(weight_norm, ((3, 8),)),
    "conv1d": Animal(conv1d, ((3, 12),)),
    "conv3d": Animal(conv3d, ((2, 4, 4, 4),)),
    "functional weights": Animal(functional_weights, IMAGE),
    "two inputs": Animal(two_inputs, ((3, 6, 6), (5,))),
    "dict output": Animal(dict_output, NUMBERS),
    "bf16": Animal(bf16, IMAGE),
    "norm behind linear": Animal(norm_behind_linear, NUMBERS),
    "view behind convolution": Animal(viewing, IMAGE),
}
