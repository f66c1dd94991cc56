"""The reference networks by name: what builds each, and what it was trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from compress_core.models import networks


@dataclass(frozen=True)
class ModelSpec:
    """A named network; `input_shape` is one image's (C, H, W), `dataset` one of data.DATASETS."""

    name: str
    build: Callable[[], nn.Module]
    dataset: str
    input_shape: tuple[int, int, int]
    description: str


MODELS = {
    spec.name: spec
    for spec in (
        ModelSpec(
            "digits-cnn",
            networks.digits_cnn,
            "digits",
            (1, 8, 8),
            "Two convolutions, two linear layers, on scikit-learn's 8 x 8 digits.",
        ),
        ModelSpec(
            "digits-mlp",
            networks.digits_mlp,
            "digits",
            (1, 8, 8),
            "64-300-100-10: LeNet-300-100 shrunk to 8 x 8 digits.",
        ),
        ModelSpec(
            "digits-transformer",
            networks.digits_transformer,
            "digits",
            (1, 8, 8),
            "A tiny vision transformer: 16 patches, two blocks of width 48.",
        ),
        ModelSpec(
            "mnist-lenet-300-100",
            networks.mnist_lenet_300_100,
            "mnist",
            (1, 28, 28),
            "784-300-100-10, the first network of Deep Compression's table.",
        ),
        ModelSpec(
            "mnist-lenet-5",
            networks.mnist_lenet_5,
            "mnist",
            (1, 28, 28),
            "Caffe's LeNet-5, 20-50-500-10, the second network of that table.",
        ),
        ModelSpec(
            "fashion-cnn",
            networks.fashion_cnn,
            "fashion-mnist",
            (1, 28, 28),
            "A small VGG with batch norm, on Fashion-MNIST.",
        ),
        ModelSpec(
            "cifar-resnet-20",
            networks.cifar_resnet_20,
            "cifar-10",
            (3, 32, 32),
            "ResNet-20: nine blocks, each added to a shortcut, on CIFAR-10's colour images.",
        ),
    )
}


def model_spec(name: str) -> ModelSpec:
    """The catalog entry of `name`. Raises ValueError when there is none."""
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; choose one of {', '.join(MODELS)}")
    return MODELS[name]


@cache
def tensor_shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The keys of the network's state dict, sorted, and the shapes; nothing is computed."""
    with torch.device("meta"):
        state = model_spec(name).build().state_dict()
    return {key: tuple(state[key].shape) for key in sorted(state)}
