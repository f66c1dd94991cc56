"""Published results on the two LeNets, as marks to measure against.

A ratio means nothing without its unit: "bit accounting" adds up the bits that a method would need,
"real file" is the size of what was written and can be read again.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["bit accounting", "real file"]


@dataclass(frozen=True)
class Published:
    """One published point: bytes of the whole stored model (1 KB = 1,000 bytes), test error.

    `error` is the fraction of the 10,000 MNIST test images that were classified wrong; `source`
    the paper's arXiv id.
    """

    name: str
    model: str
    stored_bytes: int
    error: float
    unit: Unit
    source: str

    @property
    def accuracy(self) -> float:
        return 1 - self.error


LENET_300_100, LENET_5 = "mnist-lenet-300-100", "mnist-lenet-5"
PUBLISHED = (
    # Han, Mao & Dally 2015: pruned, shared and Huffman coded, retrained in between
    Published(
        "Deep Compression", LENET_300_100, 27_000, 0.0158, "bit accounting", "arXiv:1510.00149"
    ),
    Published("Deep Compression", LENET_5, 44_000, 0.0074, "bit accounting", "arXiv:1510.00149"),
    # Oktay et al. 2019: trained with a penalty on the entropy of its parameters
    Published("Entropy penalty", LENET_300_100, 8_560, 0.019, "real file", "arXiv:1906.06624"),
    Published("Entropy penalty", LENET_5, 2_840, 0.010, "real file", "arXiv:1906.06624"),
    # Havasi, Peharz & Hernández-Lobato 2018: minimal random code learning, two trade-offs
    Published("MIRACLE", LENET_5, 3_030, 0.0069, "real file", "arXiv:1810.00440"),
    Published("MIRACLE", LENET_5, 1_520, 0.0096, "real file", "arXiv:1810.00440"),
)


def published(model: str) -> tuple[Published, ...]:
    """The published points of a reference network; none where the literature has no such row."""
    return tuple(point for point in PUBLISHED if point.model == model)
