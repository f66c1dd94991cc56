"""The walk over an ONNX file lets good models pass, counts them, and needs no onnx."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compress_core.models.importing.files.errors import UnsafeFileError
from compress_core.models.importing.files.onnx_file import check_onnx
from compress_core.models.importing.files.wire import as_signed, read_varint

ROOT = Path(__file__).parents[4]


def write(path: Path, *tensors: TensorProto, nodes: Any = None) -> Path:
    nodes = nodes or [helper.make_node("Identity", [tensors[0].name], ["y"])]
    output = helper.make_tensor_value_info("y", tensors[0].data_type if tensors else 1, None)
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [output], list(tensors))), path)
    return path


@pytest.mark.parametrize(
    "kind",
    ["FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT8", "INT16", "INT32", "INT64", "UINT64",
     "BOOL", "INT4", "UINT4", "FLOAT8E4M3FN", "COMPLEX64"],
)  # fmt: skip
@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_tensors_of_every_type_pass(kind: str, raw: bool, tmp_path: Path) -> None:
    data_type = getattr(TensorProto, kind)
    if raw:
        array = np.ones((3, 5), helper.tensor_dtype_to_np_dtype(data_type))
        tensor = numpy_helper.from_array(array, "w")
    else:
        tensor = helper.make_tensor("w", data_type, (3, 5), [1] * 15)
    assert check_onnx(write(tmp_path / "m.onnx", tensor))["Tensor"] == 1


def test_texts_and_a_single_value_pass(tmp_path: Path) -> None:
    texts = helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"])
    one = helper.make_tensor("v", TensorProto.FLOAT, [], [1.0])
    empty = helper.make_tensor("e", TensorProto.FLOAT, [0, 4], [])
    assert check_onnx(write(tmp_path / "m.onnx", texts, one, empty))["Tensor"] == 3


def test_a_text_that_is_missing_is_refused(tmp_path: Path) -> None:
    texts = helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"])
    texts.dims[0] = 3
    with pytest.raises(
        UnsafeFileError, match="'w' claims 3 values, 3 bytes, but 2 are in the file"
    ):
        check_onnx(write(tmp_path / "m.onnx", texts))


def test_nodes_and_subgraphs_are_counted(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])
    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "i", [], [value])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    counts = check_onnx(write(tmp_path / "m.onnx", nodes=[node]))
    assert (counts["Node"], counts["Graph"], counts["Attribute"]) == (3, 3, 2)


def external(tmp_path: Path, location: str = "w.bin", **entries: str) -> Path:
    """A model whose 64 bytes of weights lie in w.bin, in a folder of its own."""
    folder = tmp_path / "fresh"
    folder.mkdir(exist_ok=True)
    (folder / "w.bin").write_bytes(bytes(64))
    tensor = TensorProto(name="w", data_type=1, dims=[4, 4], data_location=1)
    for key, text in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=text)
    graph = helper.make_graph([], "g", [], [], [tensor])
    (folder / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    return folder


def test_data_beside_the_model_passes_where_its_folder_is_given(tmp_path: Path) -> None:
    folder = external(tmp_path, offset="0", length="64")
    assert check_onnx(folder / "m.onnx", beside=folder)["Tensor"] == 1


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"location": "../w.bin"}, "outside the model's own folder"),
        ({"location": "none.bin"}, "which is no plain file in the model's folder"),
        ({"offset": "4"}, "needs 64 bytes from byte 4; there are fewer"),
        ({"length": "60"}, "needs 64 bytes from byte 0; there are fewer"),
        ({"offset": "-1"}, "has the offset '-1', which is no number"),
    ],
)
def test_data_elsewhere_is_refused(entries: dict[str, str], says: str, tmp_path: Path) -> None:
    folder = external(tmp_path, **entries)
    with pytest.raises(UnsafeFileError, match=says):
        check_onnx(folder / "m.onnx", beside=folder)


def test_a_link_beside_the_model_is_refused(tmp_path: Path) -> None:
    folder = external(tmp_path, location="link.bin")
    (folder / "link.bin").symlink_to(folder / "w.bin")
    with pytest.raises(UnsafeFileError, match="no plain file in the model's folder; save it with"):
        check_onnx(folder / "m.onnx", beside=folder)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 2**63, 2**64 - 1])
def test_varints_are_read_as_protobuf_writes_them(number: int) -> None:
    raw, rest = b"", number
    while rest > 127:
        raw, rest = raw + bytes([rest & 127 | 128]), rest >> 7
    assert read_varint(raw + bytes([rest, 9]), 0, 99) == (number, len(raw) + 1)


def test_a_negative_number_takes_64_bits() -> None:
    assert as_signed(2**64 - 4) == -4


def test_checking_imports_neither_onnx_nor_torch() -> None:
    code = (
        "import sys, types; package = types.ModuleType('compress_core'); "
        f"package.__path__ = [{str(ROOT / 'compress_core')!r}]; "
        "sys.modules['compress_core'] = package; import compress_core.models.importing.files; "
        "print(*sorted({'onnx', 'torch', 'onnxruntime', 'safetensors'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""
