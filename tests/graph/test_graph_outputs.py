"""Rewrites of the graph of odd networks: values that are outputs, weights that are read twice."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree

from compress_core.compressed import Compressed, compress
from compress_core.graph import to_onnx
from compress_core.graph.structure import GraphError, export, find_structure, weight_users
from compress_core.original import Original
from compress_core.recipe import parse_step

TEXTS = ("prune:sparsity=0.5", "quantize:bits=8", "quantize:bits=4,granularity=group,group_size=3")
STEPS = (*TEXTS, "share:clusters=4", "quantize_float:format=fp16")


class Net(nn.Module):
    """Two linear layers without bias, and a forward of the test's."""

    def __init__(self, run: Callable[["Net", Tensor], Any]) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
        self.run = run

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


def twice(net: Net, x: Tensor) -> tuple[Tensor, Tensor]:
    hidden = net.a(x)
    return hidden, net.b(hidden) + hidden


FORWARDS: dict[str, Callable[[Net, Tensor], Any]] = {
    "the last product": lambda net, x: net.b(net.a(x)),
    "a product that is read on": twice,
    "the same product twice": lambda net, x: (net.b(net.a(x)),) * 2,
    "a weight": lambda net, x: (net.b(net.a(x)), net.a.weight),
    "a flat product": lambda net, x: net.b(net.a(x)).flatten(1),
    "named ones": lambda net, x: {"logits": net.b(x), "hidden": [net.a(x), x.sum(-1)]},
}
SECOND_READS: dict[str, Callable[[Net, Tensor], Any]] = {
    "transposed": lambda net, x: torch.relu(net.b(net.a(x))) @ net.a.weight,
    "its size": lambda net, x: net.b(net.a(x)) * net.a.weight.abs().mean(),
}


@cache
def original(run: Callable[[Net, Tensor], Any], shape: tuple[int, ...]) -> Original:
    """Made once, so that each is exported once."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Original(Net(run).eval(), shape)


def make(run: Callable[[Net, Tensor], Any], shape: tuple[int, ...], *steps: str) -> Compressed:
    return compress(original(run, shape), tuple(map(parse_step, steps)))


def differences(compressed: Compressed) -> list[float]:
    """Of onnxruntime's outputs from torch's, one by one."""
    shape = (4, *compressed.original.input_shape)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    graph = to_onnx(compressed)
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        expected = _pytree.tree_leaves(compressed.module(images))
    pairs = zip(found, expected, strict=True)
    return [float(np.abs(ours - theirs.numpy()).max()) for ours, theirs in pairs]


@pytest.mark.parametrize("outputs", FORWARDS)
@pytest.mark.parametrize("step", STEPS)
def test_rewritten_values_may_be_outputs(outputs: str, step: str) -> None:
    assert max(differences(make(FORWARDS[outputs], (3, 6), step))) < 1e-5


def test_a_head_tied_to_its_embedding_is_rewritten_once() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.head = nn.Embedding(30, 10), nn.Linear(10, 30, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x: Tensor) -> Any:
            return self.head(self.embed(x))

    words_model = Original(Words().eval(), (6,), input_dtype=torch.int64)
    compressed = compress(words_model, (parse_step("quantize:bits=8"),))
    words = torch.arange(12).view(2, 6)
    session = onnxruntime.InferenceSession(to_onnx(compressed))
    (found,) = session.run(["logits"], {"images": words.numpy()})
    np.testing.assert_allclose(found, compressed.module(words).detach(), atol=1e-5)


@pytest.mark.parametrize("read", SECOND_READS)
def test_a_layer_is_called_where_its_own_module_multiplies(read: str) -> None:
    structure = find_structure(make(SECOND_READS[read], (3, 6)))
    readers = weight_users(structure.model.graph.initializers["a.weight"])
    (call,) = structure.calls["a.weight"]
    assert len(readers) == 2
    assert [node.op_type for node in readers if node.name == call] == ["Gemm"]


class Adds(nn.Module):
    """Two inputs, one of them tokens; any number of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.words = nn.Linear(4, 3), nn.Embedding(9, 3)

    def forward(self, x: Tensor, words: Tensor) -> Any:
        return {"sum": self.a(x) + self.words(words), "first": self.a(x)}


def test_a_network_of_several_inputs_and_outputs_is_exported() -> None:
    module, inputs = Adds().eval(), (torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64))
    graph = export(module, inputs, "adds").graph
    assert [value.name for value in graph.inputs] == ["input_0", "input_1"]
    assert [value.name for value in graph.outputs] == ["output_0", "output_1"]
    assert all(value.shape and str(value.shape[0]) == "batch" for value in graph.outputs)


def test_a_network_that_gives_no_tensor_is_refused_in_words() -> None:
    class Says(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return str(x.shape)

    with pytest.raises(GraphError, match=r"says cannot be exported to ONNX .*tensors in"):
        export(Says().eval(), (torch.zeros(1, 4),), "says")
