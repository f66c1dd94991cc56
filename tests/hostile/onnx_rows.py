"""ONNX files that crash checkers, follow paths, claim memory, or never end."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.hostile.row import Hostile, cut, raw

Nodes = Sequence[onnx.NodeProto]


def value(
    name: str, shape: Sequence[int] = (1, 4), kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(
    nodes: Nodes, tensors: Sequence[onnx.TensorProto] = (), opset: int = 17, name: str = "g"
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, name, [value("x")], [value("y")], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def write(path: Path, model: onnx.ModelProto) -> None:
    path.write_bytes(model.SerializeToString())


def write_nodes(path: Path, nodes: Nodes, opset: int = 17) -> None:
    write(path, model_of(nodes, opset=opset))


def weight(values: object = None, name: str = "w") -> onnx.TensorProto:
    array = np.ones((4, 4), "float32") if values is None else np.asarray(values, "float32")
    return numpy_helper.from_array(array, name)


def write_weight(path: Path, tensor: onnx.TensorProto) -> None:
    write(path, model_of([helper.make_node("MatMul", ["x", tensor.name], ["y"])], [tensor]))


def plain(path: Path) -> None:
    write_weight(path, weight())


def claiming(dims: Sequence[int], **fields: object) -> onnx.TensorProto:
    """A weight of 64 bytes that claims a shape."""
    tensor = weight()
    tensor.dims[:] = dims
    for name, field in fields.items():
        setattr(tensor, name, field)
    return tensor


def outside(location: str, **entries: str) -> onnx.TensorProto:
    """A weight whose bytes lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=1)
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)
    return tensor


def write_linked(path: Path) -> None:
    """External data behind a link to a file that every machine has."""
    link = path.with_name("linked.bin")
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    write_weight(path, outside("linked.bin"))


def nested(depth: int) -> onnx.ModelProto:
    """An If in an If in an If …"""
    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "g", [], [value("z")])
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=None)
        inner = helper.make_graph([node], "g", [], [value("z")])
    return helper.make_model(inner)


def never_ends() -> onnx.ModelProto:
    """A Loop without a largest count, whose condition stays true."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v")],
        [value("d", [], TensorProto.BOOL), value("w")],
    )
    yes = numpy_helper.from_array(np.array(True), "yes")
    return model_of([helper.make_node("Loop", ["", "yes", "x"], ["y"], body=body)], [yes])


def grows() -> onnx.ModelProto:
    """Thirty doublings of a tensor: 4 TB from a kilobyte."""
    nodes = [helper.make_node("Concat", [f"t{n}"] * 2, [f"t{n + 1}"], axis=1) for n in range(40)]
    nodes.insert(0, helper.make_node("Identity", ["x"], ["t0"]))
    return model_of([*nodes, helper.make_node("Identity", ["t40"], ["y"])])


def filled(size: int) -> onnx.ModelProto:
    """A constant of any size from a few bytes."""
    shape = numpy_helper.from_array(np.array([size, 1000]), "shape")
    return model_of([helper.make_node("ConstantOfShape", ["shape"], ["y"])], [shape])


def shape_loop() -> Nodes:
    """A Reshape whose shape is the shape of its own result."""
    return [
        helper.make_node("Reshape", ["x", "s"], ["y"]),
        helper.make_node("Shape", ["y"], ["s"]),
    ]


def cycle() -> Nodes:
    return [
        helper.make_node("Add", ["x", "b"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Identity", ["b"], ["y"]),
    ]


def spreads() -> onnx.ModelProto:
    """An activation of 8 GB from four numbers: as many as may be made, and no more."""
    shape = numpy_helper.from_array(np.array([1 << 29, 4]), "shape")
    nodes = [
        helper.make_node("Expand", ["x", "shape"], ["e"]),
        helper.make_node("Add", ["e", "e"], ["y"]),
    ]
    return model_of(nodes, [shape])


def enlarges() -> onnx.ModelProto:
    """Transposed convolutions, each of which makes an image 4,096 times as large."""
    kernel = numpy_helper.from_array(np.ones((1, 1, 64, 64), "float32"), "k")
    shape = numpy_helper.from_array(np.array([1, 1, 2, 2]), "shape")
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["t0"])] + [
        helper.make_node("ConvTranspose", [f"t{n}", "k"], [f"t{n + 1}"], strides=[64, 64])
        for n in range(6)
    ]
    return model_of([*nodes, helper.make_node("Identity", ["t6"], ["y"])], [kernel, shape])


def of_version(opset: int) -> onnx.ModelProto:
    return model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], [weight()], opset)


def one(operator: str, domain: str = "", inputs: Sequence[str] = ("x",)) -> Nodes:
    return [helper.make_node(operator, list(inputs), ["y"], domain=domain)]


def write_many_nodes(path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"]).SerializeToString()
    graph = (b"\x0a" + bytes([len(node)]) + node) * 60_000
    path.write_bytes(b"\x08\x08\x3a" + varint(len(graph)) + graph)


def deep_messages(depth: int) -> bytes:
    """Graphs inside attributes of nodes inside graphs, by hand."""
    inner = b""
    for _ in range(depth):
        for tag in (b"\x32", b"\x2a", b"\x0a"):  # attribute.g, node.attribute, graph.node
            inner = tag + varint(len(inner)) + inner
    return b"\x08\x08\x3a" + varint(len(inner)) + inner


def varint(number: int) -> bytes:
    raw = b""
    while number > 0x7F:
        raw, number = raw + bytes([number & 0x7F | 0x80]), number >> 7
    return raw + bytes([number])


CUTS = {
    "after 5 bytes": 5,
    "after 20 bytes": 20,
    "in the middle": None,
    "in the weights": -60,
    "before the last byte": -1,
}
DAMAGED = "it is damaged or cut off: upload it again|content is that of no format read here"
ONE_FILE = r"save it with its weights inside: onnx\.save\(onnx\.load\(path\), 'one_file\.onnx'\)"
CLAIMS = "but .* are in the file; it is damaged, or made to hurt"
CHECKED = [
    *(Hostile(f"onnx, cut {where}", cut(plain, end), DAMAGED) for where, end in CUTS.items()),
    *(
        Hostile(f"onnx, {name}", partial(write_weight, tensor=tensor), says)
        for name, tensor, says in (
            ("weight that claims 4 TB", claiming([1 << 20, 1 << 20]), CLAIMS),
            ("weight that claims 2^124 values", claiming([1 << 62, 1 << 62]), CLAIMS),
            ("weight of a negative size", claiming([-4, -4]), "sizes are 0 or more"),
            ("weight of 10,000 dimensions", claiming([1] * 10_000), "sizes are 0 or more"),
            ("weight of an unknown type", claiming([4, 4], data_type=99), "unknown data type 99"),
            ("data in another file", outside("weights.bin"), f"was not given; {ONE_FILE}"),
            ("data in a file above", outside("../../etc/passwd"), ONE_FILE),
            ("data in an absolute file", outside("/etc/passwd", length="64"), ONE_FILE),
            ("data nowhere", outside(""), ONE_FILE),
        )
    ),
    Hostile("onnx, data behind a link", write_linked, ONE_FILE),
    Hostile("onnx, 60,000 nodes", write_many_nodes, "more than the 50,000 nodes that are read"),
    Hostile(
        "onnx, graphs 100 deep", raw(deep_messages(100)), "inside each other more than 13 deep"
    ),
    Hostile("onnx, graphs 5,000 deep", raw(deep_messages(5000)), "inside each other more than 13"),
    Hostile("onnx, a length of 2^63", raw(b"\x08\x08\x3a" + b"\xff" * 8 + b"\x7f"), DAMAGED),
    Hostile(  # found by fuzzing
        "onnx, a producer of 2^63 letters",
        raw(b"\x08\x08\x12" + b"\xff" * 8 + b"\x7f"),
        DAMAGED,
    ),
    Hostile("onnx, a number without end", raw(b"\x08\x08\x3a\x0b\x0a" + b"\xff" * 10), DAMAGED),
    Hostile("onnx, a field of wire type 3", raw(b"\x08\x08\x3a\x02\x0b\x0c"), "unknown kind 3"),
    Hostile("onnx, no graph", raw(b"\x08\x08\x12\x04spox"), "no graph|no format read here"),
    Hostile("onnx, an empty file", raw(b""), "this is an empty file: there is nothing in it"),
    Hostile("onnx, zeros", raw(bytes(100_000)), "content is that of no format read here"),
    Hostile(
        "onnx, text",
        raw(b"a text\n" * 99),
        "this is text: there is no model in it; ONNX, safetensors and state dicts of torch",
    ),
    Hostile(
        "onnx, a web page", raw(b"<!DOCTYPE html><html>404"), "this is a web page: the download"
    ),
    Hostile(
        "onnx, a pointer of Git LFS",
        raw(b"version https://git-lfs.github.com/spec/v1\n"),
        "fetch the file itself with Git LFS",
    ),
    Hostile("onnx, Keras", raw(b"\x89HDF\r\n\x1a\n" + bytes(99)), "this is an HDF5 file, as Keras"),
]
TOO_LONG = "took longer than the 5 s that are allowed; give a smaller model, or open it"
TOO_LARGE = "took more than the 800 MB of memory that are allowed; give a smaller model, or open"
IMPORTED = [
    Hostile(f"onnx, {name}", make, says)
    for name, make, says in (
        (
            "unknown operator",
            partial(write_nodes, nodes=one("Frobnicate")),
            "Frobnicate.* cannot run, neither in torch nor in onnxruntime",
        ),
        (
            "unknown domain",
            partial(write_nodes, nodes=one("Relu", "evil.example")),
            r"the node .*evil\.example\.Relu.* cannot run, neither",
        ),
        # onnxruntime runs no such file, and so it opens as weights alone
        ("opset 999", lambda path: write(path, of_version(999)), ""),
        ("opset 0", lambda path: write(path, of_version(0)), "names version 0 .*: export the"),
        ("a cycle", partial(write_nodes, nodes=cycle()), "node Add reads b, which nothing before"),
        ("a shape that is its own", partial(write_nodes, nodes=shape_loop()), "reads s, which no"),
        ("an input that is nowhere", partial(write_nodes, nodes=one("Relu", inputs=["q"])), "q"),
        ("a Loop that never ends", lambda path: write(path, never_ends()), TOO_LONG),
        ("40 doublings", lambda path: write(path, grows()), TOO_LARGE),
        ("an activation of 8 GB", lambda path: write(path, spreads()), TOO_LARGE),
        # its first run finds no memory, and its small weights open without it
        ("images that grow without end", lambda path: write(path, enlarges()), ""),
        ("a constant of 4 PB", lambda path: write(path, filled(10**12)), "is asked for 1e.15 elem"),
        (
            "NaN weights",
            partial(write_weight, tensor=weight(np.full((4, 4), np.nan))),
            "w.weight holds 16 NaN of 16; .* must be finite: load a checkpoint",
        ),
        (
            "infinite weights",
            partial(write_weight, tensor=weight(np.full((4, 4), np.inf))),
            "w.weight holds 16 infinite values .*; .* must be finite: load a checkpoint",
        ),
        ("name with HTML", partial(write_weight, tensor=weight(name="<b onload=x>\n\u202ew")), ""),
        ("name of 10 MB", partial(write_weight, tensor=weight(name="n" * 10_000_000)), ""),
        ("no nodes", partial(write_nodes, nodes=[]), "no ONNX graph with nodes; export"),
        ("If without branches", partial(write_nodes, nodes=one("If")), "the node If_0 .If. cannot"),
    )
]
ONNX = CHECKED + IMPORTED
