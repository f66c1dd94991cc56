"""The model as it came, and the memo of what was made of it."""

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core import data
from compress_core.compressed import compress
from compress_core.data import DataError, Dataset, finding, load_dataset
from compress_core.measurement.report import measure_size
from compress_core.models.checkpoints import CHECKPOINTS, load_network
from compress_core.original import Memo, Original, load_model
from compress_core.tasks import Task


def test_a_result_is_made_once() -> None:
    memo, calls = Memo(), []
    results = [memo.get("key", lambda: calls.append(1) or object()) for _ in range(3)]
    assert len(calls) == 1
    assert results[0] is results[2]


def test_the_least_recently_used_result_is_dropped() -> None:
    memo = Memo(max_entries=2)
    for key in ("a", "b", "a", "c"):
        memo.get(key, lambda key=key: key)
    assert memo.get("a", lambda: "made anew") == "a"
    assert memo.get("b", lambda: "made anew") == "made anew"


def test_what_could_not_be_made_is_not_kept() -> None:
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.get("key", lambda: 1 // 0)
    assert memo.get("key", lambda: 7) == 7


def test_threads_share_a_memo() -> None:
    memo, barrier, found = Memo(max_entries=8), Barrier(4), []

    def work() -> None:
        barrier.wait()
        found.extend(memo.get(i % 16, lambda i=i: i % 16) == i % 16 for i in range(500))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 2000


def test_a_model_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"training mode; pass model\.eval\(\)"):
        Original(nn.Sequential(nn.Linear(2, 2)), (2,))


def test_a_model_without_compressible_layers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"ReLU has no compressible layer; it needs .* Linear"):
        Original(nn.ReLU().eval(), (2,))


def test_the_models_own_state_is_untouched() -> None:
    model = nn.Sequential(nn.Linear(2, 2)).eval()
    Original(model, (2,))
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_tied_weights_stay_tied(animal: Callable[[str], Original]) -> None:
    module = animal("tied").module
    assert module.get_parameter("a.weight") is module.get_parameter("b.weight")


def test_original_bytes_are_those_of_a_dense_file(digits_cnn: Original) -> None:
    checkpoint = CHECKPOINTS / "digits-cnn.safetensors"
    assert digits_cnn.stored_bytes == checkpoint.stat().st_size


def test_a_tied_weight_is_counted_once(animal: Callable[[str], Original]) -> None:
    tied = animal("tied")
    weights = sum(parameter.nbytes for parameter in tied.module.parameters())
    assert weights < tied.stored_bytes < weights + 300  # the header


def test_training_the_model_on_does_not_reach_the_original() -> None:
    module = nn.Sequential(nn.Linear(4, 3)).eval()
    original = Original(module, (4,))
    before = original.layers["0"].weight.clone()
    with torch.no_grad():
        module[0].weight.mul_(100)
    assert torch.equal(original.layers["0"].weight, before)
    assert torch.equal(original.module[0].weight, before)


def test_a_part_in_training_mode_is_refused() -> None:
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    module[1].train()
    with pytest.raises(ValueError, match=r"pass model\.eval"):
        Original(module, (4,))


def test_a_model_of_tokens_is_measured() -> None:
    module = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(20, 3)).eval()
    original = Original(module, (5,), input_dtype=torch.int64)
    assert measure_size(compress(original, ())).macs == 60


def test_the_example_is_one_zero_input(digits_cnn: Original) -> None:
    assert torch.equal(digits_cnn.example, torch.zeros(1, 1, 8, 8))


def test_a_reference_network_computes_what_its_checkpoint_computes(digits_cnn: Original) -> None:
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = load_network("digits-cnn")(images)
        torch.testing.assert_close(digits_cnn.module(images), expected)


def test_an_unknown_model_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'lenet'; choose one of digits-cnn"):
        load_model("lenet")


def keys(images: Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


@pytest.mark.parametrize("samples", [1, 50, 256, 1197])
def test_calibration_images_are_training_images_and_never_test_images(
    digits_cnn: Original, digits: Dataset, samples: int
) -> None:
    calibrated_on = digits_cnn.calibrate(samples, seed=samples).data
    assert len(calibrated_on) == samples
    assert keys(calibrated_on.images) <= keys(load_dataset("digits", "train").images)
    assert not keys(calibrated_on.images) & keys(digits.images)


def test_calibration_images_are_balanced_and_drawn_by_seed(digits_cnn: Original) -> None:
    found = digits_cnn.calibrate(100, seed=3).data
    assert found.labels.bincount().tolist() == pytest.approx([10] * 10, abs=1)
    assert not torch.equal(found.images, digits_cnn.calibrate(100, seed=4).data.images)


def test_a_model_is_calibrated_once_for_each_draw(digits_cnn: Original) -> None:
    assert digits_cnn.calibrate(100) is digits_cnn.calibrate(100, seed=0)
    assert digits_cnn.calibrate(100) is not digits_cnn.calibrate(101)


def test_more_samples_than_there_are_mean_all_of_them(digits_cnn: Original) -> None:
    assert len(digits_cnn.calibrate(10_000).data) == 1197


def test_training_images_are_read_when_first_asked_for() -> None:
    def load() -> Dataset:
        read.append("now")
        return load_dataset("digits", "train")

    read: list[str] = []
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    original = Original(model, (1, 8, 8), calibration=load)
    assert read == []
    original.calibrate(10)
    assert read == ["now"]


def test_a_model_without_training_data_says_how_to_give_it_some() -> None:
    original = Original(nn.Sequential(nn.Linear(4, 3)).eval(), (4,))
    with pytest.raises(ValueError, match=r"without training data.*Original\(…, calibration="):
        original.calibrate(256)


def test_the_test_split_is_no_calibration_data(digits: Dataset) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    original = Original(model, (1, 8, 8), calibration=digits)
    with pytest.raises(ValueError, match=r"test split of digits would flatter.*training split"):
        original.calibrate(256)


@pytest.mark.parametrize("samples", [0, -1, 2.5])
def test_a_number_of_samples_that_is_none_is_refused(digits_cnn: Original, samples: int) -> None:
    with pytest.raises(ValueError, match=r"samples=.*256 is usual|samples=.*whole number"):
        digits_cnn.calibrate(samples)


def test_absent_training_files_are_an_error_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(finding, "user_cache", lambda: tmp_path / "cache")
    data._load.cache_clear()
    lenet = load_model("mnist-lenet-5")
    with pytest.raises(DataError, match=r"train-images.* is not on this machine.*data mnist"):
        lenet.calibrate(256)
    data._load.cache_clear()


def test_another_network_keeps_inputs_name_and_training_data(digits_cnn: Original) -> None:
    other = digits_cnn.with_module(digits_cnn.module)
    assert (other.input_shape, other.name) == (digits_cnn.input_shape, "digits-cnn")
    assert other.calibration is digits_cnn.calibration
    assert other.memo is not digits_cnn.memo


def test_an_input_shape_that_the_first_layer_contradicts_is_refused() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 2)).eval()
    with pytest.raises(ValueError, match=r"does not run on .*\(1, 1, 8, 8\).*3 channels.*input_s"):
        Original(module, (1, 8, 8))


def test_tokens_that_are_given_as_floats_are_refused_with_the_remedy() -> None:
    module = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(20, 3)).eval()
    with pytest.raises(ValueError, match=r"\(1, 5\) float32 \(.*input_dtype=…, "):
        Original(module, (5,))


class Both(nn.Module):
    """Two inputs of one width."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        out: Tensor = self.a(a) + self.b(b)
        return out


def test_an_example_is_taken_as_it_is() -> None:
    original = Original(Both().eval(), example=(torch.ones(5, 4), torch.zeros(5, 4)))
    assert [tensor.tolist() for tensor in original.examples] == [[[1.0] * 4], [[0.0] * 4]]


def test_what_follows_one_input_says_so_to_a_network_of_two() -> None:
    original = Original(Both().eval(), ((4,), (4,)))
    with pytest.raises(ValueError, match=r"model takes 2 inputs, and this can only follow"):
        _ = original.example


def test_another_network_keeps_task_and_examples() -> None:
    given = Original(Both().eval(), ((4,), (4,)), task="regression")
    other = given.with_module(given.module)
    assert other.task == Task("regression")
    assert all(map(torch.equal, other.examples, given.examples))


def test_training_data_that_the_network_does_not_take_are_refused() -> None:
    data = Dataset.of(torch.zeros(9, 4, dtype=torch.uint8), torch.arange(9) % 3, split="train")
    original = Original(nn.Sequential(nn.Linear(4, 3)).eval(), (4,), calibration=data)
    with pytest.raises(DataError, match="inputs are bytes"):
        original.calibrate(9)


def test_a_regression_is_calibrated_on_its_own_loss() -> None:
    inputs, labels = torch.rand(9, 4), torch.rand(9, 3)
    data = Dataset.of(inputs, labels, split="train")
    module = nn.Sequential(nn.Linear(4, 3)).eval()
    found = Original(module, (4,), calibration=data).calibrate(9).gradients("0")
    (module(inputs) - labels).square().sum().div(9).backward()
    torch.testing.assert_close(found, module[0].weight.grad)


def test_training_data_without_labels_have_no_gradients_but_inputs() -> None:
    data = Dataset.of(torch.rand(9, 4), split="train")
    original = Original(nn.Sequential(nn.Linear(4, 3)).eval(), (4,), calibration=data)
    assert original.calibrate(9).means("0").shape == (4,)
    with pytest.raises(ValueError, match="without labels there is no loss"):
        original.calibrate(9).gradients("0")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": None}, "name=None is no name"),
        ({"name": "\ud800"}, "is no name that a file can hold"),
        ({"calibration": torch.rand(4, 4)}, r"calibration is a Tensor; pass Dataset\.of"),
    ],
)
def test_a_wrong_name_or_data_set_is_refused_on_entry(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Original(nn.Sequential(nn.Linear(4, 2)).eval(), (4,), **wrong)
