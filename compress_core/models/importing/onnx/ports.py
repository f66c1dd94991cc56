"""What goes into a network and comes out, rows first."""

from dataclasses import dataclass

import torch
from torch import Tensor

from compress_core.models.importing.onnx.graph import Dim


@dataclass(frozen=True)
class Port:
    """An input or an output of the file: its type, its shape there, and which dimension counts the
    rows. `dtype` is the type in which it is computed here, `own_type` ONNX's number of the file's.

    Rows come first in everything that is given to the network and comes out of it: a state
    (2, rows, 128) is given as (rows, 2, 128). An input without a dimension for them (`batch_axis`
    None) is given one in front: a sampling rate () becomes (rows,), all the same.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[Dim, ...]
    batch_axis: int | None
    own_type: int

    @property
    def row_shape(self) -> tuple[Dim, ...]:
        """Of one row, without the batch."""
        axis = self.batch_axis
        return tuple(size for i, size in enumerate(self.shape) if i != axis)

    def to_file(self, rows: Tensor) -> Tensor:
        """Rows first → as the file has it."""
        if self.batch_axis is None:
            return rows[0]
        return rows if self.batch_axis == 0 else rows.movedim(0, self.batch_axis)

    def to_rows(self, values: Tensor, rows: int) -> Tensor:
        """As the file has it → rows first; one row where it has no dimension for them."""
        axis = self.batch_axis
        if axis is None or values.dim() <= axis:
            return values.unsqueeze(0).expand(rows, *values.shape)
        if axis:
            return values.movedim(axis, 0)
        if values.shape[0] != rows and rows and values.shape[0] % rows == 0:
            return values.reshape(rows, values.shape[0] // rows, *values.shape[1:])
        return values


def find_batch_axes(shapes: list[tuple[Dim, ...]]) -> list[int | None]:
    """The dimension of each input that counts the rows: one of size 1, or a free one whose name
    several inputs have in common, the first such; a single free one in front counts, too, or, of a
    state (layers, rows, features), in the middle."""
    names = [size for shape in shapes for size in dict.fromkeys(shape) if isinstance(size, str)]
    firsts = {shape[0] for shape in shapes if shape and isinstance(shape[0], str)}
    common: set[Dim] = {name for name in names if names.count(name) > 1 and name in firsts}
    common |= {name for name in names if "batch" in name.lower()}
    return [_axis(shape, common) for shape in shapes]


def _axis(shape: tuple[Dim, ...], common: set[Dim]) -> int | None:
    if not shape:
        return None
    named = [i for i, size in enumerate(shape) if size in common]
    if named:
        return named[0]
    if shape[0] is None or isinstance(shape[0], str):
        return 0
    ones = [i for i, size in enumerate(shape) if size == 1]
    if not ones and len(shape) == 3 and isinstance(shape[0], int) and isinstance(shape[2], int):
        return 1 if shape[1] is None else None
    return ones[0] if ones else None
