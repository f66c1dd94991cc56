"""What must hold of any network and any recipe that is not refused."""

from collections.abc import Mapping
from functools import cache

import onnxruntime
import torch
from torch import Tensor, nn

from compress_core.compressed import Compressed
from compress_core.dataset import Dataset
from compress_core.equality import named_tensors
from compress_core.graph import to_onnx
from compress_core.graph.structure import GraphError
from compress_core.inputs import each, pick_output, take_rows
from compress_core.measurement.report import measure_size
from compress_core.original import Original
from compress_core.restoring import restore
from compress_core.storage.container import decode
from tests.zoo.networks import NETWORKS, Animal

ROWS = 12  # of training data
ONE_CODE = 0.05  # of the spread of an output: what a code more or less of an input may move it
SUMS = 1e-5  # of the same: sums in another order


def build(animal: Animal, seed: int = 0) -> nn.Module:
    """The network in evaluation mode, whose norms have seen something."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = animal.build().eval()
        for part in network.modules():
            if isinstance(getattr(part, "running_mean", None), Tensor):
                part.running_mean.normal_(0, 0.3)
                part.running_var.uniform_(0.5, 2)
                part.weight.data.uniform_(0.5, 1.5)
                part.bias.data.normal_(0, 0.3)
    return network


def draw_inputs(animal: Animal, count: int, seed: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    if animal.tokens:
        shapes = ((count, *shape) for shape in animal.shapes)
        return tuple(torch.randint(animal.tokens, s, generator=generator) for s in shapes)
    return tuple(torch.randn(count, *shape, generator=generator) for shape in animal.shapes)


@cache
def original_of(name: str) -> Original:
    """The animal as it has entered, with training data for its task."""
    animal = NETWORKS[name]
    return enter(animal, build(animal), name)


def enter(animal: Animal, network: nn.Module, name: str) -> Original:
    inputs = draw_inputs(animal, ROWS, seed=1)
    entered = Original(network, example=tuple(tensor[:1] for tensor in inputs), name=name)
    with torch.inference_mode():
        logits = pick_output(entered.module(*inputs))
    if logits.dim() == 2:
        labels, task = torch.arange(ROWS) % logits.shape[1], "classification"
    elif animal.tokens:
        labels, task = None, "next_token"
    else:
        labels, task = torch.rand(logits.shape), "regression"
    given = inputs[0] if len(inputs) == 1 else inputs
    data = Dataset("noise", "train", given, labels)
    example = tuple(tensor[:1] for tensor in inputs)
    return Original(network, example=example, name=name, calibration=data, task=task)


def bytes_of(state: Mapping[str, Tensor]) -> dict[str, tuple[object, ...]]:
    """The tensors of a state dict, bit for bit."""
    return {
        key: (
            tensor.dtype,
            tuple(tensor.shape),
            tensor.reshape(-1, 1).view(torch.uint8).numpy().tobytes(),
        )
        for key, tensor in state.items()
    }


def answers(network: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    with torch.inference_mode():
        output = network(*(tensor.clone() for tensor in inputs))
    return {name: tensor.clone() for name, tensor in named_tensors(output)}


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """Each number within `tolerance` of the spread of all of them, and of the largest."""
    assert found.shape == expected.shape
    scale = float(expected.std()) + 0.1 * float(expected.abs().max())
    assert float((found - expected).abs().max()) <= tolerance * scale


def assert_stored_as_evaluated(compressed: Compressed) -> None:
    found = decode(compressed.container).state_dict
    assert bytes_of(found) == bytes_of(compressed.module.state_dict())


def assert_restored(compressed: Compressed, animal: Animal) -> None:
    """A network with other weights, and the file, give the same answers."""
    inputs = draw_inputs(animal, 3, seed=2)
    found = answers(restore(compressed.container, build(animal, seed=7)), inputs)
    expected = answers(compressed.module, inputs)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def assert_sizes_add_up(compressed: Compressed) -> None:
    size = measure_size(compressed)
    parts = size.rest_bytes + size.header_bytes + sum(row.bytes for row in size.layers)
    assert parts == size.stored_bytes == len(compressed.container)


def assert_rows_alone(compressed: Compressed, animal: Animal) -> None:
    """An answer does not depend on what else is in the batch."""
    inputs = draw_inputs(animal, 5, seed=3)
    together = answers(compressed.module, inputs)
    for row in range(5):
        alone = answers(compressed.module, each(take_rows(inputs, slice(row, row + 1))))
        for name, tensor in alone.items():
            assert_near(tensor, together[name][row : row + 1], tolerance_of(compressed))


def tolerance_of(compressed: Compressed) -> float:
    rounded = any(stored.inputs for stored in compressed.layers.values())
    return ONE_CODE if rounded else SUMS


def assert_graph_agrees(compressed: Compressed, animal: Animal) -> None:
    """onnxruntime gives the same answers, or there is no graph, in words."""
    try:
        graph = to_onnx(compressed)
    except GraphError:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # its optimizer rounds float weights by itself where inputs are rounded
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs = draw_inputs(animal, 4, seed=4)
    names = [value.name for value in session.get_inputs()]
    found = session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})
    expected = answers(compressed.module, inputs)
    for array, tensor in zip(found, expected.values(), strict=True):
        assert_near(torch.from_numpy(array), tensor, tolerance_of(compressed))
