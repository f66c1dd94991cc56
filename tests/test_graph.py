"""The ONNX graph: what it computes, what it says at its nodes, and what it costs to make."""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from compress_core.compressed import Act, Compressed, compress
from compress_core.graph import strip_weights, to_onnx
from compress_core.graph.annotation import format_bytes
from compress_core.graph.structure import GraphError
from compress_core.measurement.report import measure_size
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import (
    FORMAT_BITS,
    MX_FORMATS,
    Binarize,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeMX,
    Ternarize,
)
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import CheckpointError
from compress_core.models.importing.onnx.saturation import products_saturate
from compress_core.network import start
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe
from compress_core.storage.streams import CODED_FORMS, weight_of
from compress_core.storage.streams.coded import CodedForm

DIGITS = ("digits-mlp", "digits-cnn", "digits-transformer")
INTEGER_TYPES = {
    (1, "symmetric"): "INT2",
    (2, "asymmetric"): "UINT2",
    (3, "symmetric"): "INT4",
    (4, "asymmetric"): "UINT4",
    (5, "symmetric"): "INT8",
    (8, "asymmetric"): "UINT8",
    (16, "symmetric"): "INT16",
    (16, "asymmetric"): "UINT16",
}


class Packed(nn.MultiheadAttention):
    """A subclass: its projections stay packed."""


class Zoo(nn.Module):
    """What the reference networks have not: embedding, packed attention, groups, batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 16)
        self.attention = Packed(16, 4, batch_first=True)
        self.grouped = nn.Conv1d(16, 16, 3, groups=4, bias=False)
        self.norm = nn.BatchNorm1d(16)
        self.head = nn.Linear(16, 10, bias=False)
        self.tied = nn.Linear(16, 10, bias=False)
        self.tied.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        h = self.embedding((x * 9).long())  # (B, 6) → (B, 6, 16)
        h = self.attention(h, h, h, need_weights=False)[0]
        h = self.norm(self.grouped(h.transpose(1, 2))).mean(-1)  # (B, 16)
        logits: Tensor = self.head(h) + self.tied(h)
        return logits


class Unused(nn.Module):
    """Its second layer takes no part in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.used = nn.Linear(4, 3)
        self.unused = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.used(x)
        return logits


class Branching(nn.Module):
    """Its path depends on the data, which no graph can express."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.fc(x) if x.sum() > 0 else -self.fc(x)
        return logits


def make_original(name: str) -> Original:
    try:
        return load_model(name)
    except CheckpointError:  # the graph of random weights is as good for these tests
        torch.manual_seed(0)
        spec = model_spec(name)
        return Original(spec.build().eval(), spec.input_shape, name=name)


@pytest.fixture(scope="module")
def originals() -> dict[str, Original]:
    """Shared by all tests, so that each structure is exported once."""
    return {name: make_original(name) for name in DIGITS}


@pytest.fixture(scope="module")
def zoo() -> Original:
    torch.manual_seed(0)
    module = Zoo()
    module.norm.running_mean.uniform_(-1, 1)
    module.norm.running_var.uniform_(0.5, 2)
    return Original(module.eval(), (6,), name="zoo")  # no training data: nothing is calibrated


@pytest.fixture
def mlp(originals: dict[str, Original]) -> Original:
    return originals["digits-mlp"]


@pytest.fixture
def count_exports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows by one entry with every export that torch makes."""
    calls: list[Any] = []
    export: Callable[..., Any] = torch.onnx.export

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return export(*args, **kwargs)

    monkeypatch.setattr(torch.onnx, "export", counted)
    return calls


def logits_difference(compressed: Compressed, *, optimized: bool = True) -> float:
    """Largest difference of onnxruntime's logits from torch's, relative to the largest logit."""
    options = onnxruntime.SessionOptions()
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(5, *compressed.original.input_shape, generator=generator)
    session = onnxruntime.InferenceSession(
        to_onnx(compressed), options, providers=["CPUExecutionProvider"]
    )
    (logits,) = session.run(["logits"], {"images": images.numpy()})
    with torch.inference_mode():
        expected = compressed.module(images)
    difference = (torch.from_numpy(logits) - expected).abs().max()
    return float(difference / expected.abs().max().clamp(min=1e-3))


def run_graph(graph: bytes, images: Tensor) -> np.ndarray:
    """The logits of onnxruntime."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"images": images.numpy()})[0])


def load(compressed: Compressed) -> onnx.ModelProto:
    return onnx.load_model_from_string(to_onnx(compressed))


def facts(model: onnx.ModelProto, node: str) -> dict[str, str]:
    found = next(entry for entry in model.graph.node if entry.name == node)
    return {entry.key: entry.value for entry in found.metadata_props}


def types(model: onnx.ModelProto) -> dict[str, str]:
    return {
        tensor.name: onnx.TensorProto.DataType.Name(tensor.data_type)
        for tensor in model.graph.initializer
    }


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("recipe", [(), (Prune(sparsity=0.9),)], ids=["untouched", "pruned"])
def test_onnxruntime_agrees_with_torch(
    originals: dict[str, Original], name: str, recipe: Recipe
) -> None:
    assert logits_difference(compress(originals[name], recipe)) < 1e-4


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 16])
@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
def test_onnxruntime_agrees_on_quantized_weights(
    originals: dict[str, Original], name: str, bits: int, scheme: Any, granularity: Any
) -> None:
    step = Quantize(bits=bits, scheme=scheme, granularity=granularity)
    assert logits_difference(compress(originals[name], (step,))) < 1e-4


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_onnxruntime_agrees_on_factors_pruned_and_quantized(
    originals: dict[str, Original], name: str, bits: int
) -> None:
    quantize = Quantize(bits=bits, scheme="asymmetric")
    compressed = compress(originals[name], (Factorize(), Prune(sparsity=0.5), quantize))
    assert logits_difference(compressed) < 1e-4


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_embeddings_attention_groups_and_norms_agree(
    zoo: Original, granularity: Any, bits: int
) -> None:
    step = Quantize(bits=bits, granularity=granularity, group_size=5, scheme="asymmetric")
    assert logits_difference(compress(zoo, (step,))) < 1e-4


FLOAT_TYPES = {
    "fp16": "FLOAT16",
    "bf16": "BFLOAT16",
    "fp8_e4m3": "FLOAT8E4M3FN",
    "fp8_e5m2": "FLOAT8E5M2",
}


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("format_", FORMAT_BITS)
def test_onnxruntime_agrees_on_low_bit_floats(
    zoo: Original, format_: Any, granularity: Any
) -> None:
    compressed = compress(zoo, (QuantizeFloat(format_, granularity=granularity, group_size=5),))
    assert logits_difference(compressed) < 1e-4
    model = load(compressed)
    typed = {name: found for name, found in types(model).items() if name.endswith(".codes")}
    if granularity == "channel":
        assert set(typed.values()) == ({FLOAT_TYPES[format_]} if format_ in FLOAT_TYPES else set())


@pytest.mark.parametrize("format_", MX_FORMATS)
def test_microscaled_weights_run_as_floats(zoo: Original, format_: Any) -> None:
    compressed = compress(zoo, (QuantizeMX(format_),))
    assert logits_difference(compressed) < 1e-4


@pytest.mark.parametrize("step", [Binarize(), Ternarize()], ids=["binary", "ternary"])
@pytest.mark.parametrize("name", DIGITS)
def test_onnxruntime_agrees_on_signs_in_two_bits(
    originals: dict[str, Original], name: str, step: Any
) -> None:
    compressed = compress(originals[name], (step,))
    assert logits_difference(compressed) < 1e-4
    assert "INT2" in types(load(compressed)).values()


@pytest.mark.parametrize(
    ("clusters", "dtype"), [(4, "UINT2"), (16, "UINT4"), (200, "UINT8"), (300, "UINT16")]
)
def test_shared_weights_are_looked_up_in_their_codebook(
    zoo: Original, clusters: int, dtype: str
) -> None:
    compressed = compress(zoo, (ShareWeights(clusters, layers=("attention.*",)),))
    assert logits_difference(compressed) < 1e-4
    model = load(compressed)
    assert types(model)["attention.in_proj_weight.codes"] == dtype
    nodes = {node.name: node.op_type for node in model.graph.node}
    assert nodes["attention.out_proj.Gather"] == "Gather"


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("mode", ["static", "dynamic"])
@pytest.mark.parametrize("bits", [4, 6, 8])
@pytest.mark.parametrize("before", [(), (Quantize(),)], ids=["fp32", "int8"])
def test_onnxruntime_agrees_on_rounded_inputs(
    originals: dict[str, Original], name: str, mode: Any, bits: int, before: Recipe
) -> None:
    recipe = (*before, QuantizeActivations(bits=bits, mode=mode))
    # Another order of sums moves a value over an edge between two codes now and then. Float weights
    # between rounded inputs onnxruntime's optimizer would round to 8 bits by itself.
    optimized = bool(before) and not products_saturate()
    difference = logits_difference(compress(originals[name], recipe), optimized=optimized)
    assert difference < 2 / 2**bits


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize("bits", [4, 8])
def test_dynamic_ranges_in_the_graph_are_those_of_one_image(
    originals: dict[str, Original], name: str, bits: int
) -> None:
    original = originals[name]
    graph = to_onnx(compress(original, (QuantizeActivations(bits=bits, mode="dynamic"),)))
    images = torch.rand(8, *original.input_shape, generator=torch.Generator().manual_seed(1))
    images *= torch.logspace(-2, 0, 8)[:, None, None, None]
    together = run_graph(graph, images)
    alone = np.concatenate([run_graph(graph, image) for image in images.split(1)])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_rounded_inputs_stand_in_the_graph(mlp: Original) -> None:
    steps = (QuantizeActivations(), QuantizeActivations(mode="dynamic", layers=("fc2",)))
    steps = (*steps, QuantizeActivations(bits=5, layers=("fc3",)))
    nodes = [n for n in load(compress(mlp, steps)).graph.node if ".input." in n.name]
    operators = ("QuantizeLinear", "Clip", "DequantizeLinear", "ReduceMin", "ReduceMax")
    assert [node.name for node in nodes if node.op_type in operators] == [
        "fc1.input.QuantizeLinear",
        "fc1.input.DequantizeLinear",
        "fc2.input.ReduceMin",
        "fc2.input.ReduceMax",
        "fc2.input.Clip",
        "fc2.input.QuantizeLinear",
        "fc2.input.DequantizeLinear",
        "fc3.input.QuantizeLinear",
        "fc3.input.Clip",
        "fc3.input.DequantizeLinear",
    ]


def test_a_batch_norm_stays_beside_its_convolution(zoo: Original) -> None:
    model = load(compress(zoo, (Prune(sparsity=0.5),)))
    operators = [node.op_type for node in model.graph.node]
    assert operators.index("BatchNormalization") == operators.index("Conv") + 1


@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 8, 16])
def test_the_reference_decodes_the_weights_bit_for_bit(
    originals: dict[str, Original], bits: int, granularity: Any, scheme: Any
) -> None:
    step = Quantize(bits=bits, granularity=granularity, scheme=scheme, group_size=7)
    compressed = compress(originals["digits-cnn"], (step,))
    model = load(compressed)
    for stored in compressed.layers.values():
        decoded = decode_by_reference(model, stored.layer.key)
        assert torch.equal(decoded.view(torch.int32), stored.dense.view(torch.int32))


def decode_by_reference(model: onnx.ModelProto, key: str) -> Tensor:
    """The weight `key` as onnx.reference decodes it, by the nodes of the model that make it."""
    nodes = [node for node in model.graph.node if node.output[0] in {key, f"{key}.matrix"}]
    output = onnx.helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, None)
    tensors = [tensor for tensor in model.graph.initializer if tensor.name.startswith(key)]
    graph = onnx.helper.make_graph(nodes, "decode", [], [output], tensors)
    alone = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    (weight,) = ReferenceEvaluator(alone).run(None, {})
    return torch.from_numpy(weight)


@pytest.mark.parametrize(("setting", "expected"), INTEGER_TYPES.items())
def test_codes_lie_in_the_smallest_integer_type(
    mlp: Original, setting: tuple[int, Any], expected: str
) -> None:
    bits, scheme = setting
    found = types(load(compress(mlp, (Quantize(bits=bits, scheme=scheme),))))
    assert found["fc1.weight.codes"] == expected
    assert found.get("fc1.weight.zero_point") == (expected if scheme == "asymmetric" else None)


def test_only_named_layers_are_quantized(mlp: Original) -> None:
    found = types(load(compress(mlp, (Quantize(bits=4, layers=("fc2",)),))))
    assert (found["fc1.weight"], found["fc2.weight.codes"]) == ("FLOAT", "INT4")
    assert "fc2.weight" not in found


@pytest.mark.parametrize("name", DIGITS)
@pytest.mark.parametrize(
    "recipe",
    [(), (Factorize(), Quantize(bits=2, granularity="group")), (Quantize(scheme="asymmetric"),)],
    ids=["untouched", "factors in groups", "integers"],
)
def test_the_checker_accepts_the_graph(
    originals: dict[str, Original], name: str, recipe: Recipe
) -> None:
    graph = to_onnx(compress(originals[name], recipe))
    onnx.checker.check_model(graph, full_check=True)  # raises where the graph is not valid
    assert [output.name for output in onnx.load_from_string(graph).graph.output] == ["logits"]


def test_the_batch_dimension_is_open(mlp: Original) -> None:
    model = load(compress(mlp, ()))
    images, logits = model.graph.input[0], model.graph.output[0]
    assert (images.name, logits.name) == ("images", "logits")
    assert images.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert logits.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_nodes_say_what_was_done_to_their_weights(mlp: Original) -> None:
    compressed = compress(mlp, (Prune(sparsity=0.9, scope="layer"), Quantize(bits=4)))
    model, row = load(compressed), measure_size(compressed).layers[0]
    assert row.sqnr_db is not None
    expected = {
        "layer": "fc1",
        "sparsity": f"{100 * row.sparsity:.1f} %",
        "bits": "4",
        "bytes": format_bytes(row.bytes),
        "macs": "19,200",
        "sqnr_db": f"{row.sqnr_db:.1f} dB",
    }
    assert facts(model, "fc1") == facts(model, "fc1.DequantizeLinear") == expected


def test_the_nodes_of_a_factor_pair_are_told_apart(mlp: Original) -> None:
    model = load(compress(mlp, (Factorize(rank=3, layers=("fc1",)),)))
    first, second = facts(model, "fc1.0"), facts(model, "fc1.1")
    assert (first["rank"], first["factor"], second["factor"]) == ("3", "1 of 2", "2 of 2")


def test_an_untouched_layer_has_neither_rank_nor_noise(mlp: Original) -> None:
    assert set(facts(load(compress(mlp, ())), "fc2")) == {
        "layer", "sparsity", "bits", "bytes", "macs",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 KB"), (1_724_320, "1.7 MB")]
)
def test_bytes_are_written_for_a_reader(count: int, text: str) -> None:
    assert format_bytes(count) == text


def test_attention_layers_keep_their_names(originals: dict[str, Original]) -> None:
    original = originals["digits-transformer"]
    model = load(compress(original, ()))
    assert set(original.layers) <= {node.name for node in model.graph.node}


def test_node_names_are_unique(zoo: Original) -> None:
    names = [node.name for node in load(compress(zoo, ())).graph.node]
    assert len(names) == len(set(names))


def test_nothing_of_the_exporter_shows(originals: dict[str, Original]) -> None:
    raw = to_onnx(compress(originals["digits-transformer"], ()))
    for noise in (b"pkg.torch", b"stack_trace", b"networks.py"):
        assert noise not in raw


def test_a_structure_is_exported_once(mlp: Original, count_exports: list[Any]) -> None:
    fresh = Original(mlp.module, mlp.input_shape)
    for recipe in ((), (Prune(sparsity=0.5),), (Quantize(bits=4),)):
        to_onnx(compress(fresh, recipe))
    assert len(count_exports) == 1
    to_onnx(compress(fresh, (Factorize(rank=2),)))
    assert len(count_exports) == 2


def test_recipes_leave_no_trace_in_the_structure(mlp: Original) -> None:
    before = to_onnx(compress(mlp, ()))
    to_onnx(compress(mlp, (Prune(sparsity=0.9), Quantize(bits=2, granularity="group"))))
    assert to_onnx(compress(mlp, ())) == before


def test_threads_share_one_export_and_get_equal_bytes(
    mlp: Original, count_exports: list[Any]
) -> None:
    fresh = Original(mlp.module, mlp.input_shape, name=mlp.name)
    recipe = (Quantize(bits=4),)
    with ThreadPoolExecutor(4) as pool:
        graphs = list(pool.map(lambda _: to_onnx(compress(fresh, recipe)), range(4)))
    assert len(count_exports) == 1
    assert set(graphs) == {to_onnx(compress(mlp, recipe))}  # also the bytes of another export


def test_exporting_leaves_the_shared_module_alone(mlp: Original) -> None:
    compressed = compress(mlp, (Factorize(rank=2),))
    before = copy.deepcopy(compressed.module.state_dict())
    to_onnx(compressed)
    after = compressed.module.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert all(type(tensor) is nn.Parameter for tensor in compressed.module.parameters())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Unused(), "does not use the weight unused.weight"),
        (Branching(), "branching cannot be exported to ONNX"),
    ],
)
def test_a_model_without_a_faithful_graph_is_refused(module: nn.Module, message: str) -> None:
    compressed = compress(Original(module.eval(), (4,), name="branching"), ())
    with pytest.raises(GraphError, match=message):
        to_onnx(compressed)


@pytest.mark.parametrize("recipe", [(), (Quantize(bits=4),)], ids=["float", "int4"])
def test_a_stripped_graph_is_small_and_keeps_names_types_and_shapes(
    mlp: Original, recipe: Recipe
) -> None:
    raw = to_onnx(compress(mlp, recipe))
    stripped = strip_weights(raw)
    before, after = onnx.load_model_from_string(raw), onnx.load_model_from_string(stripped)
    assert len(stripped) < 20_000 < len(raw)
    assert types(after) == types(before)
    assert [t.dims for t in after.graph.initializer] == [t.dims for t in before.graph.initializer]
    assert after.graph.node == before.graph.node


def test_stripping_spares_tensors_up_to_the_limit(mlp: Original) -> None:
    stripped = onnx.load_model_from_string(strip_weights(to_onnx(compress(mlp, ())), limit=500))
    data = {tensor.name: len(tensor.raw_data) for tensor in stripped.graph.initializer}
    assert (data["fc2.bias"], data["fc1.bias"], data["fc1.weight"]) == (400, 0, 0)


@pytest.mark.parametrize("steps", [(), (Quantize(bits=4),)], ids=["dense", "quantized"])
def test_onnxruntime_agrees_on_a_smaller_network(
    mlp: Original, halving: type[Any], steps: Recipe
) -> None:
    to_onnx(compress(mlp, steps))  # a base has a structure of its own
    assert logits_difference(compress(mlp, (halving(), *steps))) < 1e-4


class Halves(NamedTuple):
    """Codes that no operator of ONNX decodes."""

    halves: Tensor
    bits: int = 16

    def dequantize(self) -> Tensor:
        return self.halves.float()


def test_other_codes_are_written_as_the_floats_that_they_stand_for(
    mlp: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = CodedForm("", np.zeros((1, 1), np.int32), 2, {}, {})
    monkeypatch.setitem(CODED_FORMS, Halves, lambda _codes: form)
    layers = compress(mlp, ()).layers
    weight = weight_of(Halves(mlp.layers["fc1"].weight.half()))
    halves = layers["fc1"].with_weights("halves", (weight,))
    network = start(mlp).with_layers({"fc1": halves})
    compressed = Compressed(mlp, (), (Act(Quantize(), 0, ("fc1",), start(mlp), network),), ())
    tensors = {tensor.name: tensor for tensor in load(compressed).graph.initializer}
    written = onnx.numpy_helper.to_array(tensors["fc1.weight"])
    assert torch.equal(torch.from_numpy(written.copy()), weight.values)
