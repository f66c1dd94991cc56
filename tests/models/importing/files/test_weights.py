"""Weights of other people come out of the sandbox as torch and safetensors read them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from compress_core.models.importing.files.errors import UnsafeFileError
from compress_core.models.importing.files.kinds import Kind
from compress_core.models.importing.files.opening import WeightsFile, read_weights


def example() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "conv.weight": torch.randn(4, 3, 2, 2),
        "turned": torch.randn(5, 4).T,
        "every.second": torch.randn(9)[1::2],
        "half": torch.randn(3).half(),
        "bfloat": torch.randn(3).bfloat16(),
        "float8": torch.randn(4).to(torch.float8_e4m3fn),
        "double": torch.randn(2).double(),
        "steps": torch.tensor(7),
        "mask": torch.tensor([True, False]),
        "none": torch.zeros(0, 3),
    }


def read(path: Path, tmp_path: Path) -> WeightsFile:
    folder = tmp_path / "ours"
    folder.mkdir(exist_ok=True)
    return read_weights(path, folder)


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        ours, theirs = found[name].contiguous(), tensor.detach().contiguous()
        assert ours.flatten().view(torch.uint8).equal(theirs.flatten().view(torch.uint8))


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_a_state_dict_comes_out_bit_for_bit(new: bool, tmp_path: Path) -> None:
    torch.save(example(), tmp_path / "w.pt", _use_new_zipfile_serialization=new)
    weights = read(tmp_path / "w.pt", tmp_path)
    assert_same(load_file(weights.path), example())
    assert weights.kind is (Kind.STATE_DICT if new else Kind.LEGACY_TORCH)
    assert weights.left_out == ()


def test_a_modules_own_state_dict_comes_out(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(module.state_dict(), tmp_path / "w.pth")
    assert_same(load_file(read(tmp_path / "w.pth", tmp_path).path), dict(module.state_dict()))


def test_parameters_and_tied_weights_come_out(tmp_path: Path) -> None:
    shared = torch.nn.Parameter(torch.randn(3, 2))
    torch.save({"a": shared, "b": shared}, tmp_path / "w.pt")
    assert_same(load_file(read(tmp_path / "w.pt", tmp_path).path), {"a": shared, "b": shared})


def test_a_checkpoint_is_unwrapped_and_the_rest_is_named(tmp_path: Path) -> None:
    checkpoint = {"epoch": 3, "model": {"w": torch.ones(2)}, "optimizer": {"lr": 0.1}}
    torch.save(checkpoint, tmp_path / "w.pt")
    weights = read(tmp_path / "w.pt", tmp_path)
    assert [place.name for place in weights.tensors] == ["w"]
    assert weights.left_out == (
        ("epoch", "it stands beside 'model'"),
        ("optimizer", "it stands beside 'model'"),
    )


def test_nested_dicts_give_names_with_dots(tmp_path: Path) -> None:
    torch.save({"encoder": {"w": torch.ones(2)}, "size": 4}, tmp_path / "w.pt")
    weights = read(tmp_path / "w.pt", tmp_path)
    assert [place.name for place in weights.tensors] == ["encoder.w"]
    assert weights.left_out == (("size", "it is of the type int, no tensor"),)


def test_types_that_safetensors_has_not_are_left_out(tmp_path: Path) -> None:
    torch.save({"c": torch.ones(2, dtype=torch.complex128), "w": torch.ones(2)}, tmp_path / "w.pt")
    weights = read(tmp_path / "w.pt", tmp_path)
    assert weights.left_out == (("c", "its type has no place in safetensors"),)


@pytest.mark.filterwarnings("ignore:.*quantize_per_tensor.*:UserWarning")
def test_quantized_tensors_are_left_out(tmp_path: Path) -> None:
    codes = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    torch.save({"q": codes, "w": torch.ones(2)}, tmp_path / "w.pt")
    assert read(tmp_path / "w.pt", tmp_path).left_out == (
        ("q", "it is of the type qtensor, no tensor"),
    )


def test_values_that_are_not_finite_are_counted(tmp_path: Path) -> None:
    values = torch.tensor([float("nan"), float("inf"), -float("inf"), 1.0])
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e5m2)
    save_file({str(kind): values.to(kind) for kind in kinds}, tmp_path / "w.safetensors")
    weights = read(tmp_path / "w.safetensors", tmp_path)
    assert weights.non_finite == {str(kind): 3 for kind in kinds}


def test_a_safetensors_file_is_written_anew_without_its_metadata(tmp_path: Path) -> None:
    tensors = {name: tensor.contiguous() for name, tensor in example().items()}
    save_file(tensors, tmp_path / "w.safetensors", {"note": "<script>"})
    weights = read(tmp_path / "w.safetensors", tmp_path)
    assert_same(load_file(weights.path), tensors)
    assert b"script" not in weights.path.read_bytes()


def shard(folder: Path, **changes: Any) -> None:
    """A checkpoint in two files, with an index."""
    folder.mkdir()
    save_file({"a": torch.ones(2)}, folder / "1.safetensors")
    save_file({"b": torch.zeros(3)}, folder / "2.safetensors")
    weight_map = {"a": "1.safetensors", "b": "2.safetensors"} | changes
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))


def test_shards_come_out_as_one_file(tmp_path: Path) -> None:
    shard(tmp_path / "shards")
    weights = read(tmp_path / "shards", tmp_path)
    assert_same(load_file(weights.path), {"a": torch.ones(2), "b": torch.zeros(3)})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"c": "2.safetensors"}, "tensor 'c' and 0 more stand in the index, but in no file; give"),
        ({"b": "../2.safetensors"}, "names '../2.safetensors', which is no plain file in its"),
        ({"b": "/etc/passwd"}, "names '/etc/passwd', which is no plain file in its folder"),
        ({"b": "3.safetensors"}, "names '3.safetensors', which is no plain file in its folder"),
        ({"a": "2.safetensors"}, "'b' lies in|'a' and 0 more stand"),
        ({"b": 7}, "weight_map does not name a file for each tensor"),
    ],
)
def test_shards_that_do_not_fit_are_refused(
    changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    shard(tmp_path / "shards", **changes)
    with pytest.raises(UnsafeFileError, match=says):
        read(tmp_path / "shards", tmp_path)


def test_a_shard_that_is_a_link_is_refused(tmp_path: Path) -> None:
    shard(tmp_path / "shards")
    path = tmp_path / "shards" / "2.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeFileError, match="no plain file in its folder"):
        read(tmp_path / "shards", tmp_path)
