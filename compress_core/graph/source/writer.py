"""Nodes of a graph in the making, written as the version of the operators wants them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from onnx import NodeProto, helper
from torch import Tensor, nn

from compress_core.graph.naming import unique_name

AXES_ARE_INPUTS = 13  # the opset since which Unsqueeze takes its axes as an input


@dataclass(eq=False)
class Writer:
    """Collects nodes, and the constants that they read.

    `keys` gives the name under which a parameter or buffer is an initializer, `coded` those whose
    weights are codes. `calls` are the nodes that multiply with a weight, by its key.
    """

    opset: int
    keys: Mapping[int, str]
    coded: frozenset[str]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Tensor] = field(default_factory=dict)
    calls: dict[str, list[str]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)

    def node(
        self, op_type: str, inputs: list[str], output: str, *, name: str, **attributes: Any
    ) -> str:
        """Write a node of one output, whose name is given back."""
        own = unique_name(name, self.taken)
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=own, **attributes))
        return output

    def weight(self, tensor: Tensor | None) -> str:
        """The initializer of a layer's parameter or buffer; "" for one that it does not have."""
        return "" if tensor is None else self.keys[id(tensor)]

    def inner(self, path: str, word: str) -> str:
        """A new name for a value of a layer."""
        return unique_name(f"{path}/{word}", self.values)

    def constant(self, path: str, word: str, values: list[int]) -> str:
        name = self.inner(path, word)
        self.constants[name] = torch.tensor(values, dtype=torch.int64)
        return name

    def multiplies(self, key: str) -> None:
        """Note that the last node multiplies with the weight `key`."""
        self.calls.setdefault(key, []).append(str(self.nodes[-1].name))

    def unsqueeze(self, value: str, path: str) -> str:
        """One more dimension in front."""
        made = self.inner(path, "unsqueezed")
        name = f"{path}.Unsqueeze"
        if self.opset < AXES_ARE_INPUTS:
            return self.node("Unsqueeze", [value], made, name=name, axes=[0])
        return self.node("Unsqueeze", [value, self.constant(path, "axes", [0])], made, name=name)


def ids_of(module: nn.Module, tied: Mapping[str, str]) -> dict[int, str]:
    """The key of each parameter and buffer by its id; of tied ones that of the layer."""
    found: dict[int, str] = {}
    for key, tensor in [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]:
        found.setdefault(id(tensor), tied.get(key, key))
    return found


def as_array(tensor: Tensor) -> np.ndarray[Any, Any]:
    return tensor.detach().contiguous().numpy()
