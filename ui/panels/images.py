"""Test images as tiles."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from compress_core.data import Dataset
from ui import words
from ui.language import _


@dataclass(frozen=True)
class Tile:
    """A test image (1 or 3, H, W) over its caption, which is HTML; `alt` says both in words."""

    image: Tensor
    caption: str
    alt: str


def shows_images(data: Dataset) -> bool:
    """Whether its rows can be drawn: grey or red, green and blue images."""
    inputs = data.inputs
    return isinstance(inputs, Tensor) and inputs.dim() == 4 and inputs.shape[1] in (1, 3)


def tiles(shown: Sequence[Tile], heading: str = "") -> None:
    """Tiles under a heading (HTML). They are one element of the page: an element that is drawn anew
    is drawn as a whole, so all of them, and the heading, tell of the same state."""
    figures = "".join(map(_figure, shown))
    st.html(f'<div class="tiles"><p>{heading}</p><div>{figures}</div></div>')


def _figure(tile: Tile) -> str:
    address = _address_of(picture(tile.image))
    image = f'<img src="{address}" alt="{escape(tile.alt)}" width="72">'
    return f"<figure>{image}<figcaption>{tile.caption}</figcaption></figure>"


def image_grid(data: Dataset, classes: Tensor, *, limit: int = 12) -> None:
    """Some test images with true and predicted class, wrong ones first."""
    wrong_first = (classes == data.class_labels).int().argsort(stable=True)[:limit]
    tiles([_answered(data, classes, index) for index in wrong_first.tolist()])


def _answered(data: Dataset, classes: Tensor, index: int) -> Tile:
    true, found = (
        words.class_name(data.class_names[int(c[index])]) for c in (data.class_labels, classes)
    )
    if true == found:
        alt = _("{true}, recognized", true=true)
        return Tile(data.images[index], f"{escape(true)} ✓", alt)
    caption = f'{escape(true)} → <b class="worse">{escape(found)}</b>'
    alt = _("{true}, taken for {found}", true=true, found=found)
    return Tile(data.images[index], caption, alt)


def _address_of(pixels: NDArray[np.uint8]) -> str:
    """The picture as a data address. A file of Streamlit's may be gone when the browser asks for
    it, if the visitor has left the page."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(image: Tensor) -> NDArray[np.uint8]:
    """An image (1 or 3, H, W), grey or red, green and blue, enlarged by whole pixels to about 72:
    (height, width) or (height, width, 3). One that leaves [0, 1] is drawn from its least value to
    its largest."""
    low, high = min(0.0, float(image.min())), max(1.0, float(image.max()))
    pixels = ((image - low) / (high - low) * 255).byte()
    factor = max(1, 72 // pixels.shape[1])
    enlarged = pixels.repeat_interleave(factor, 1).repeat_interleave(factor, 2).numpy()
    return enlarged[0] if len(enlarged) == 1 else enlarged.transpose(1, 2, 0)
