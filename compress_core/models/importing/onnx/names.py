"""Paths in the tree of modules, made of the names that somebody gave to weights and nodes.

features.0.weight becomes features.0, /encoder/conv/Conv becomes encoder.conv. Whatever stands in
the file, a path is short, of plain letters, and given once.
"""

import re
from collections.abc import Iterable

from torch import nn

# names that say nothing but that an exporter counts
ANONYMOUS = re.compile(
    r"^(onnx::.*|_?\d+|(val|const|tensor|arg|node|new_const|shape|w|p|x|y)?_?\d+|const_fold_opt.*|"
    r"Constant.*|_val_\d+|auto_constant.*|t\d+)$",
    re.IGNORECASE,
)
# last parts that name a role in the layer, not the layer
ROLE = re.compile(
    r"^(weights?|kernel|bias|gamma|beta|scale|B|W|R|w_\d+|b_\d+|ReadVariableOp(_\d+)?|quantized|"
    r"(weight|kernel)_(quantized|transposed|q|T)|weight_(ih|hh)(_l0)?|embeddings?|resource|read|"
    r"recurrent_kernel|table)$"
)
ENDING = re.compile(r"(_(quantized|Q4|weights?|kernel|[wW]|w_0|W_0))+$")
LONGEST_PART, MOST_PARTS = 40, 8
OF_MODULES = set(dir(nn.Module())) | {"weight", "bias"}


def path_parts(text: str) -> list[str]:
    """The parts of a name, each of ASCII letters, digits and underscores."""
    text = re.sub(r":\d+$", "", text[:400])
    parts = (re.sub(r"[^0-9A-Za-z_]+", "_", part).strip("_") for part in re.split(r"[./]+", text))
    kept = [part[:LONGEST_PART] for part in parts if part]
    return [f"{part}_" if part in OF_MODULES else part for part in kept[-MOST_PARTS:]]


def parts_of_weight(name: str) -> list[str]:
    """The layer that a weight of this name belongs to; nothing for a name without meaning."""
    if ANONYMOUS.match(name[:400]):
        return []
    first = name[:400].partition(";")[0]  # TensorFlow joins the names of what it has fused
    raw = [part for part in re.split(r"[./]+", re.sub(r":\d+$", "", first)) if part]
    raw = [ENDING.sub("", part) or part for part in raw]
    while len(raw) > 1 and ROLE.match(raw[-1]):
        raw.pop()
    if len(raw) > 1 and raw[-1] in {"Conv2D", "MatMul", "BiasAdd", "Tensordot", "conv2d_transpose"}:
        raw.pop()
    return path_parts(".".join(raw))


def parts_of_node(name: str, op_type: str) -> list[str]:
    """The layer whose node has this name."""
    raw = [part for part in re.split(r"[./]+", name[:400]) if part]
    if len(raw) > 1 and re.fullmatch(rf"{re.escape(op_type)}(_\d+)?", raw[-1]):
        raw.pop()
    return path_parts(".".join(raw))


class Names:
    """Gives out paths, each once. A layer stands inside of no other layer."""

    def __init__(self) -> None:
        self._ends: set[str] = set()
        self._containers: set[str] = set()

    def take(self, candidates: Iterable[list[str]], fallback: str) -> str:
        """The first of `candidates` that says something, changed until it is new."""
        parts = next((parts for parts in candidates if parts), None) or path_parts(fallback)
        parts = self._outside_of_layers(parts or ["layer"])
        path, count = ".".join(parts), 0
        while path in self._ends or path in self._containers:
            count += 1
            path = ".".join([*parts[:-1], f"{parts[-1]}_{count}"])
        self._ends.add(path)
        owners = path.split(".")[:-1]
        self._containers.update(".".join(owners[: i + 1]) for i in range(len(owners)))
        return path

    def _outside_of_layers(self, parts: list[str]) -> list[str]:
        """a.b becomes a_b where a is a layer itself."""
        for i in range(1, len(parts)):
            if ".".join(parts[:i]) in self._ends:
                joined = "_".join(parts[i - 1 :])
                return [*parts[: i - 1], joined[-2 * LONGEST_PART :].strip("_")]
        return parts
