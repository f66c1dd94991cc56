"""The ledger of a tensor is that of a network that has it."""

from functools import partial

import pytest
from torch import nn

from compress_core import compress
from compress_core.checkpoint import Profiles, tensor_ledger
from compress_core.measurement.ledger import ledger
from compress_core.original import Original
from compress_core.recipe import parse_recipe
from tests.checkpoint.conftest import Write, normal


@pytest.mark.parametrize("text", ["", "prune:sparsity=0.9,scope=layer", "quantize:bits=4"])
def test_every_encoding_takes_as_many_bytes_as_in_a_network(text: str, write: Write) -> None:
    layer = nn.Linear(120, 40, bias=False)
    layer.weight = nn.Parameter(normal(40, 120))
    original = Original(nn.Sequential(layer).eval(), (120,))
    expected = {
        row.name: row.layer_bytes and row.layer_bytes[0][1]
        for row in ledger(compress(original, parse_recipe(text)))
        if "gzip" not in row.name and row.name != "zstd -19" and row.name != "our container"
    }
    expected.pop("ONNX")
    found = write({"w": layer.weight.detach()})
    entry = found.entry("w")
    lines = tensor_ledger(entry, parse_recipe(text), partial(Profiles(found).census, entry)).lines
    sizes = {line.name: line.bytes for line in lines}
    assert sizes["as it came"] == 40 * 120 * 4
    assert {name: sizes[name] for name in expected} == expected
