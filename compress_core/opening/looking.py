"""A look at somebody's data before they are taken: what fits, and what the network would see."""

from typing import Any

import torch
from torch import Tensor

from compress_core.dataset import DataError
from compress_core.inputs import Inputs, call, pick_output
from compress_core.opening.finding_out import read_own
from compress_core.original import Original
from compress_core.own_data import Normalization, OwnData, choices, preview, suggest

SHOWN, LARGEST = 6, 64  # images, and pixels along their larger side


def look(original: Original, file: str, title: str) -> dict[str, Any]:
    """What the data are, in sentences, and each normalisation that fits images in bytes, with
    pixels (n, H, W, C) and, where there are labels, the accuracy on some rows.

    Raises DataError where the data do not fit.
    """
    own = read_own(original, file, title)
    return {
        "rows": len(own.as_read),
        "classes": list(own.as_read.class_names[:100]),
        "found": list(own.found),
        "warnings": list(own.warnings),
        "choices": _choices(original, own) if own.has_bytes else [],
    }


def _choices(original: Original, own: OwnData) -> list[dict[str, Any]]:
    options = choices(own.as_read.images)
    right = _accuracies(original, own, options)
    return [_shown(name, own, one, right.get(name)) for name, one in options.items()]


def _shown(name: str, own: OwnData, one: Normalization, accuracy: float | None) -> dict[str, Any]:
    try:
        seen = preview(own.as_read, one, SHOWN)
    except DataError:  # no images: there is nothing to look at
        return {"name": name, "accuracy": accuracy}
    step = max(1, max(seen.pixels.shape[1:3]) // LARGEST)
    pixels = seen.pixels[:, ::step, ::step].tolist()
    return {
        "name": name,
        "accuracy": accuracy,
        "low": seen.low,
        "high": seen.high,
        "pixels": pixels,
    }


def _accuracies(
    original: Original, own: OwnData, options: dict[str, Normalization]
) -> dict[str, float]:
    def run(inputs: Inputs) -> Tensor:
        with torch.inference_mode():
            return pick_output(call(original.module, inputs), original.task.output)

    try:
        return {hint.name: hint.accuracy for hint in suggest(own.as_read, run, options)}
    except DataError:  # no classes: nothing tells
        return {}
