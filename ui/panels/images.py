"""Test images as tiles."""

import base64
import io

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from compress_core.data import Dataset


def image_grid(data: Dataset, classes: Tensor, *, limit: int = 12) -> None:
    """Some test images with true and predicted class, wrong ones first."""
    wrong_first = (classes == data.class_labels).int().argsort(stable=True)[:limit]
    with st.container(horizontal=True, gap="small"):
        for index in wrong_first.tolist():
            true, found = (data.class_names[int(c[index])] for c in (data.class_labels, classes))
            right = true == found
            text = f":material/check: {true}" if right else f"{true} → :orange[**{found}**]"
            captioned(data.images[index], text, alt=f"a {true}, taken for {found}")


def captioned(image: Tensor, text: str, *, alt: str, width: int = 92) -> None:
    """One test image over its caption, a tile of a grid."""
    with st.container(width=width, gap=None):
        st.image(_address_of(picture(image)), width=72, alt=alt)
        st.caption(text)


def _address_of(pixels: NDArray[np.uint8]) -> str:
    """The picture as a data address. A file of Streamlit's may be gone when the browser asks for
    it, if the visitor has left the page."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture(image: Tensor) -> NDArray[np.uint8]:
    """An image (1 or 3, H, W) in [0, 1], grey or red, green and blue, enlarged by whole pixels to
    about 72: (height, width) or (height, width, 3)."""
    pixels = (image * 255).byte()
    factor = max(1, 72 // pixels.shape[1])
    enlarged = pixels.repeat_interleave(factor, 1).repeat_interleave(factor, 2).numpy()
    return enlarged[0] if len(enlarged) == 1 else enlarged.transpose(1, 2, 0)
