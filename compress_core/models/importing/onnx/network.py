"""A torch module that computes what an ONNX graph says."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from compress_core.entering.tensors import TensorType
from compress_core.models.importing.onnx.constants import Codes
from compress_core.models.importing.onnx.ports import Port
from compress_core.models.importing.onnx.program import Program, Values, all_instructions

Batching = Literal["batched", "rewritten", "row by row"]


class Part(nn.Module):
    """A place in the tree of modules, with parts and weights that the network reads by itself."""


@dataclass(frozen=True)
class Place:
    """Where a layer's weight stands in the file: the node that reads it, and the initializers that
    its tensors are made of, by attribute."""

    node: str
    op_type: str
    initializers: Mapping[str, str]


class OnnxNetwork(nn.Module):
    """A network read from an ONNX file, in evaluation mode.

    Inputs have the rows first (`Port`), in the order of `inputs`; whole numbers of any type are
    taken. One output is given out as a tensor, several as a dictionary by their names.
    `batching` says how several rows are computed: "batched" at once as the file does, "rewritten"
    at once although the file is for one row, or "row by row".
    `foreign` are the nodes that run in onnxruntime; no gradient passes them. `places` says of each
    layer where the file has it, `codes` which weights came as integers, by layer. `came_as` and
    `own_types` are the types in which the tensors came, by state-dict key, where not in float32.
    `header` is the file's model without nodes and weights: names, types, versions and notes.
    """

    def __init__(
        self,
        program: Program,
        inputs: tuple[Port, ...],
        outputs: tuple[Port, ...],
        header: bytes,
    ) -> None:
        super().__init__()
        self.program = program
        self.inputs, self.outputs = inputs, outputs
        self.header = header
        self.constants: dict[str, Tensor] = {}
        self.keys: dict[str, str] = {}  # of the parameters and buffers that stand for a value
        self.batching: Batching = "batched"
        self.places: dict[str, Place] = {}
        self.codes: dict[str, Codes] = {}
        self.came_as: dict[str, TensorType] = {}
        self.own_types: dict[str, torch.dtype] = {}
        self.eval()

    @property
    def foreign(self) -> tuple[str, ...]:
        found = all_instructions(self.program)
        return tuple(one.name for one in found if one.is_foreign)

    def extra_repr(self) -> str:
        constants = {name: values.tolist() for name, values in self.constants.items()}
        shapes = [
            (port.name[:80], port.dtype, port.shape) for port in (*self.inputs, *self.outputs)
        ]
        said = repr((self.program.digest, self.keys, constants, shapes, self.batching))
        digest = hashlib.sha256(said.encode()).hexdigest()
        return f"nodes={len(self.program.instructions)}, {self.batching}, program={digest[:16]}"

    def layer(self, path: str) -> nn.Module:
        found: object = reduce(getattr, path.split("."), self)
        assert isinstance(found, nn.Module)
        return found

    def held(self, name: str) -> Tensor | None:
        """A constant of the program: a parameter, a buffer, or a number that nothing changes."""
        key = self.keys.get(name)
        if key is None:
            return self.constants.get(name)
        found: object = reduce(getattr, key.split("."), self)
        assert isinstance(found, Tensor)
        return found

    def forward(self, *inputs: Tensor) -> Tensor | dict[str, Tensor]:
        if len(inputs) != len(self.inputs):
            named = ", ".join(port.name[:80] for port in self.inputs)
            raise ValueError(f"{len(inputs)} inputs given; the network takes {named}")
        rows = inputs[0].shape[0]
        made = self._by_row(inputs, rows) if self._needs_rows(inputs) else self._run(inputs, rows)
        if len(self.outputs) == 1:
            return made[0]
        return {port.name: one for port, one in zip(self.outputs, made, strict=True)}

    def _needs_rows(self, inputs: tuple[Tensor, ...]) -> bool:
        """Whether rows cannot be computed at once: of such a graph, or with different scalars."""
        if torch.compiler.is_compiling():
            return False
        if self.batching == "row by row":
            return inputs[0].shape[0] > 1
        alone = (x for x, port in zip(inputs, self.inputs, strict=True) if port.batch_axis is None)
        return any(len(x) > 1 and not bool((x == x[:1]).all()) for x in alone)

    def compute(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The outputs in the layout of the file; the inputs are given rows first, all at once."""
        values: Values = {
            port.name: port.to_file(x).to(port.dtype)
            for port, x in zip(self.inputs, inputs, strict=True)
        }
        return self.program.run(self, values)

    def _run(self, inputs: tuple[Tensor, ...], rows: int) -> list[Tensor]:
        made = self.compute(inputs)
        return [port.to_rows(one, rows) for port, one in zip(self.outputs, made, strict=True)]

    def _by_row(self, inputs: tuple[Tensor, ...], rows: int) -> list[Tensor]:
        each = [self._run(tuple(x[i : i + 1] for x in inputs), 1) for i in range(rows)]
        return [torch.cat(one) for one in zip(*each, strict=True)]
