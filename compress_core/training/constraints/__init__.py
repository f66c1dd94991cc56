"""Constraints: what of a stored weight may move while it is trained, and what stays.

Each holds one stored weight, gives the weight that the network multiplies with, as a function of
its `parameters`, and in the end the stored weight of the same form with better values.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from compress_core.methods.quantization import FloatCoded, MXCoded, Quantized, SignCoded
from compress_core.methods.weight_sharing import Shared
from compress_core.storage.streams import StoredWeight
from compress_core.training.constraints.codebooks import Book, Indexed
from compress_core.training.constraints.free import Constraint, Free, Frozen
from compress_core.training.constraints.rounding import (
    Priced,
    Rounded,
    RoundedBlocks,
    RoundedFloat,
    Signed,
)
from compress_core.training.constraints.scales import Scaled

__all__ = ["Constraint", "Free", "Frozen", "Make", "Material", "Priced", "held", "moving", "priced"]


@dataclass(frozen=True, eq=False)
class Material:
    """What a constraint is made of: a stored weight, its values before rounding, its mask."""

    stored: StoredWeight
    values: Tensor
    kept: Tensor | None
    books: dict[int, Book] = field(default_factory=dict)


Make = Callable[[Material], Constraint]


def held(given: Material) -> Constraint:
    """Codes and indices stay; what they stand for moves."""
    codes = given.stored.codes
    match codes:
        case None:
            return Free(given.stored.values, given.kept)
        case Shared():
            key = id(codes.codebook)
            return Indexed(codes, given.books.setdefault(key, Book(codes.codebook)))
        case Quantized() | FloatCoded() | SignCoded():
            return Scaled(codes)
        case MXCoded():  # a scale of one byte moves in leaps
            return Frozen(given.stored)
        case _:
            raise AssertionError(f"{type(codes).__name__} has no constraint")


def moving(given: Material) -> Constraint:
    """Codes move with the weights behind them."""
    codes = given.stored.codes
    match codes:
        case Quantized():
            return Rounded(codes, given.values, given.kept)
        case SignCoded():
            return Signed(codes, given.values)
        case FloatCoded():
            return RoundedFloat(codes, given.values, given.kept)
        case MXCoded():
            return RoundedBlocks(codes, given.values, given.kept)
        case _:
            return held(given)


def priced(given: Material) -> Constraint:
    """Affine codes move, at the price of their bits."""
    if isinstance(given.stored.codes, Quantized):
        return Priced(given.stored.codes, given.values, given.kept)
    return held(given)
