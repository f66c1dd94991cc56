"""Inputs where there are no data: of the right shape and type, from a seed.

Images are noise whose amplitude falls with frequency as 1/f, as that of photographs does (Field
1987, "Relations between the statistics of natural images and the response properties of cortical
cells"). Independent pixels would not do: each neuron averages many of them, so that all images look
alike to the network, all get one class, and a network compressed to nothing still agrees.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compress_core.dataset import DataError, Dataset
from compress_core.own_data.normalizing import BYTE, Normalization

GENERATED = "generated inputs"
ROWS = 500
MOST_DEVIATIONS = 2.5
CANNOT_TELL = (
    "the inputs are generated: they show how far the compressed network answers as the original "
    "does on noise, which says nothing about accuracy on real inputs; pass data to measure that"
)


def seeded_data(
    examples: tuple[Tensor, ...],
    n: int = ROWS,
    seed: int = 0,
    *,
    normalization: Normalization | None = None,
    vocabulary: int = 2,
) -> Dataset:
    """`n` rows of the shapes and types in `examples` (1, …), without labels.

    Images lie in the range that 0 to 255 has under `normalization`, else they have mean 0 and
    standard deviation 1, as normalised images do. Whole numbers are tokens below `vocabulary`; an
    input whose example is all ones is a mask, and stays. Other floats are normal.
    """
    if n < 1:
        raise DataError(f"n={n} rows are none; 500 is usual")
    rng = np.random.default_rng(seed)
    inputs = tuple(_rows(rng, example, n, normalization, vocabulary) for example in examples)
    return Dataset(GENERATED, "test", inputs if len(inputs) > 1 else inputs[0])


def _rows(
    rng: np.random.Generator,
    example: Tensor,
    n: int,
    normalization: Normalization | None,
    vocabulary: int,
) -> Tensor:
    shape = (n, *example.shape[1:])
    if not example.is_floating_point():
        if bool((example == 1).all()):
            return example.expand(shape).clone()
        drawn = torch.from_numpy(rng.integers(0, vocabulary, shape))
        return drawn != 0 if example.dtype == torch.bool else drawn
    if example.dim() != 4 or 1 in example.shape[2:]:
        return torch.from_numpy(rng.standard_normal(shape, np.float32))
    noise = torch.from_numpy(_smooth_noise(rng, shape))
    if normalization is None:
        return noise
    bytes_ = (noise / (2 * MOST_DEVIATIONS) + 0.5) * BYTE
    return normalization.apply(bytes_)


class _Frequencies(NamedTuple):
    rows: np.ndarray
    columns: np.ndarray


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Images (n, C, H, W) whose amplitude falls as 1/f, of mean 0 and deviation 1 over all, within
    ±MOST_DEVIATIONS. The mean of an image is of the lowest frequency: some are darker."""
    height, width = shape[2:]
    at = _Frequencies(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    lowest = 1 / max(height, width)
    amplitude = 1 / np.maximum(np.hypot(at.rows, at.columns), lowest)  # (H, W/2 + 1)
    spectrum = np.fft.rfft2(rng.standard_normal(shape, np.float32)) * amplitude
    images = np.fft.irfft2(spectrum, (height, width))
    images = (images - images.mean()) / images.std()
    found: np.ndarray = np.clip(images, -MOST_DEVIATIONS, MOST_DEVIATIONS).astype(np.float32)
    return found
