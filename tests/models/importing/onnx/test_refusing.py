"""A graph that contradicts itself is refused in one sentence, whatever raised on the way."""

from collections.abc import Callable

import onnx
import pytest

from compress_core.models.importing.onnx import OnnxError, import_onnx
from compress_core.models.importing.onnx.refusing import AGAIN, refusing
from tests.opening.files import small_network


def without_a_weight_to_multiply(graph: onnx.GraphProto) -> None:
    graph.node[2].input.pop()


def with_an_unknown_type(graph: onnx.GraphProto) -> None:
    graph.initializer[0].data_type = 99


def with_another_shape(graph: onnx.GraphProto) -> None:
    graph.initializer[0].data_type = onnx.TensorProto.FLOAT8E4M3FN
    graph.initializer[0].dims[0] = 7


# All three were found by fuzzing.
DAMAGES = [without_a_weight_to_multiply, with_an_unknown_type, with_another_shape]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_graph_is_refused_with_a_remedy(
    damage: Callable[[onnx.GraphProto], None],
) -> None:
    model = onnx.load_model_from_string(small_network())
    damage(model.graph)
    with pytest.raises(OnnxError, match=r"export the network again$"):
        import_onnx(model)


def test_an_error_of_python_is_named_by_its_class() -> None:
    with pytest.raises(OnnxError) as refused, refusing("the node fc1 cannot be built"):
        raise IndexError("list index out of range")
    told = "the node fc1 cannot be built (IndexError: list index out of range)"
    assert str(refused.value) == f"{told}; {AGAIN}"


def test_a_sentence_of_ours_passes() -> None:
    with pytest.raises(OnnxError, match=r"^the file has a cycle$"), refusing("the graph"):
        raise OnnxError("the file has a cycle")


def test_memory_that_is_not_there_is_no_fault_of_the_graph() -> None:
    with pytest.raises(MemoryError), refusing("the graph"):
        raise MemoryError
