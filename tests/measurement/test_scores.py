"""Scores by metric, against sklearn, torch and numbers worked out by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import r2_score
from torch import Tensor, nn
from torch.nn import functional

from compress_core import Dataset, Original, Quantize, compress, measure
from compress_core.dataset import DataError
from compress_core.measurement.accuracy import wilson_interval
from compress_core.measurement.scores import judge
from compress_core.tasks import Task

QUANTIZED = (Quantize(bits=3),)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def seeded(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build().eval()


def regressor(outputs: int = 2) -> Original:
    return Original(seeded(lambda: nn.Linear(4, outputs)), (4,))


def language_model() -> Original:
    module = seeded(lambda: nn.Sequential(nn.Embedding(7, 5), nn.Linear(5, 7)))
    return Original(module, (6,), input_dtype=torch.int64, task="next_token")


def run(module: nn.Module, *inputs: Tensor) -> Any:
    with torch.no_grad():
        return module(*inputs)


def test_relative_error_is_the_root_of_one_minus_r_squared() -> None:
    original, inputs = regressor(), noise(200, 4)
    labels = run(original.module, inputs) + 0.3 * noise(200, 2, seed=1)
    made = compress(original, QUANTIZED)
    report = measure(made, Dataset.of(inputs, labels))
    r_squared = r2_score(labels, run(made.module, inputs), multioutput="variance_weighted")
    assert report.score.metric == "relative_error"
    assert report.score.value == pytest.approx(math.sqrt(1 - r_squared), rel=1e-5)


def test_the_mean_of_the_labels_has_a_relative_error_of_1_and_the_labels_0() -> None:
    labels = noise(50, 2).double()
    judged = judge(regressor(), Dataset.of(noise(50, 4), labels))
    mean = labels.float().double().mean(0).expand(50, 2)
    assert judged.score(mean, mean).value == pytest.approx(1)
    exact = judged.score(labels.float().double(), mean)
    assert (exact.value, exact.low, exact.high) == (0, 0, 0)


def test_intervals_of_ratios_are_those_of_the_bootstrap() -> None:
    original, inputs = regressor(), noise(400, 4)
    labels = run(original.module, inputs) + 0.5 * noise(400, 2, seed=1)
    after = run(compress(original, QUANTIZED).module, inputs).double()
    judged = judge(original, Dataset.of(inputs, labels))
    found = judged.score(after, after)
    errors = (labels - after).square().sum(1).numpy()
    spread = (labels - labels.mean(0)).square().sum(1).numpy()
    drawn = np.random.default_rng(0).integers(400, size=(4000, 400))
    resampled = np.sqrt(errors[drawn].sum(1) / spread[drawn].sum(1))
    low, high = np.quantile(resampled, [0.025, 0.975])
    assert found.high - found.low == pytest.approx(high - low, rel=0.1)
    assert found.low < found.value < found.high


def test_the_paired_change_of_an_error_is_narrower_than_two_intervals() -> None:
    original, inputs = regressor(), noise(400, 4)
    labels = run(original.module, inputs) + noise(400, 2, seed=1)
    report = measure(compress(original, (Quantize(bits=5),)), Dataset.of(inputs, labels))
    assert report.change.difference == pytest.approx(report.score.value - report.baseline.value)
    assert report.change.gained is None
    width = report.change.difference_high - report.change.difference_low
    assert 0 < width < (report.score.high - report.score.low) / 3


def test_perplexity_is_e_to_torchs_cross_entropy() -> None:
    original, tokens = language_model(), torch.randint(7, (40, 9))  # longer than the example
    report = measure(compress(original, QUANTIZED), Dataset.of(tokens))
    logits = run(compress(original, QUANTIZED).module, tokens)[:, :-1]
    expected = functional.cross_entropy(logits.reshape(-1, 7), tokens[:, 1:].reshape(-1))
    assert (report.score.metric, report.score.n) == ("perplexity", 40)
    assert report.score.value == pytest.approx(math.exp(expected), rel=1e-5)
    assert report.score.low < report.score.value < report.score.high
    difference = report.score.value - report.baseline.value
    assert report.change.difference == pytest.approx(difference)


def test_equal_logits_have_the_perplexity_of_the_vocabulary() -> None:
    zeros = seeded(lambda: nn.Sequential(nn.Embedding(7, 5), nn.Linear(5, 7)))
    for parameter in zeros.parameters():
        parameter.data.zero_()
    judged = judge(language_model(), Dataset.of(torch.randint(7, (10, 6))))
    answers = judged.answers(zeros)
    assert judged.score(answers, answers).value == pytest.approx(7)


def test_padding_counts_for_nothing() -> None:
    original, tokens = language_model(), torch.randint(7, (20, 5))
    inputs, labels = tokens[:, :-1], tokens[:, 1:].clone()
    labels[:, 2:] = -100
    logits = run(original.module, inputs)
    expected = functional.cross_entropy(logits.mT, labels, ignore_index=-100)
    found = measure(compress(original, ()), Dataset.of(inputs, labels))
    assert found.score.value == pytest.approx(math.exp(expected), rel=1e-5)


def test_without_labels_classes_are_compared_with_the_originals(digits_cnn: Original) -> None:
    images = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    made = compress(digits_cnn, QUANTIZED)
    report = measure(made, Dataset.of(images))
    same = run(made.module, images).argmax(1) == run(digits_cnn.module, images).argmax(1)
    n = int(same.sum())
    assert report.score.metric == "agreement"
    assert (report.score.value, report.score.low, report.score.high) == (
        n / 300,
        *wilson_interval(n, 300),
    )
    assert (report.baseline.value, report.change.lost, report.change.gained) == (1, 300 - n, 0)


def test_without_labels_numbers_are_compared_with_the_originals() -> None:
    original, inputs = regressor(1), noise(100, 4)
    made = compress(original, QUANTIZED)
    report = measure(made, Dataset.of(inputs))
    r_squared = r2_score(run(original.module, inputs), run(made.module, inputs))
    assert report.score.metric == "relative_error_to_original"
    assert report.score.value == pytest.approx(math.sqrt(1 - r_squared), rel=1e-4)
    assert (
        report.baseline.value,
        measure(compress(original, ()), Dataset.of(inputs)).score.value,
    ) == (
        0,
        0,
    )


def test_a_network_that_gives_one_bare_number_a_row_is_judged_as_one_with_a_column() -> None:
    flat = nn.Sequential(regressor(1).module, nn.Flatten(0)).eval()
    for labels in (None, noise(100, seed=1)):
        data = Dataset.of(noise(100, 4), labels)
        bare = measure(compress(Original(flat, (4,)), QUANTIZED), data)
        column = measure(compress(regressor(1), QUANTIZED), data)
        assert bare.score.value == pytest.approx(column.score.value, rel=1e-6)


def test_large_outputs_are_made_a_few_rows_at_a_time() -> None:
    seen: list[int] = []

    class Wide(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return super().forward(x).repeat(1, 2**22)

    judged = judge(Original(seeded(lambda: Wide(4, 3)), (4,)), Dataset.of(noise(5, 4)))
    seen.clear()
    assert judged.answers(seeded(lambda: Wide(4, 3))).shape == (5,)
    assert seen == [1] * 5


def test_only_a_measured_accuracy_is_called_so() -> None:
    report = measure(compress(regressor(1), ()), Dataset.of(noise(9, 4)))
    assert not hasattr(report, "accuracy")
    row = report.as_dict()
    assert not [key for key in row if "accuracy" in key]
    assert row["metric"] == "relative_error_to_original"
    assert row["baseline_relative_error_to_original"] == 0
    assert "gained" not in row


@settings(max_examples=10)
@given(order=st.permutations(range(12)))
def test_no_metric_depends_on_the_order(order: list[int]) -> None:
    tokens, inputs = torch.randint(7, (12, 5)), noise(12, 4)
    labels = noise(12, 2, seed=3)
    for original, data in (
        (language_model(), (tokens, None)),
        (regressor(), (inputs, labels)),
        (regressor(), (inputs, None)),
        (regressor(3), (inputs, torch.arange(12) % 3)),
    ):
        made = compress(original, QUANTIZED)
        shuffled = [None if part is None else part[order] for part in data]
        plain, other = (measure(made, Dataset.of(*parts)) for parts in (data, shuffled))
        for before, after in ((plain.score, other.score), (plain.baseline, other.baseline)):
            assert (before.metric, before.n) == (after.metric, after.n)
            expected = pytest.approx((before.value, before.low, before.high), rel=1e-6, abs=1e-6)
            assert (after.value, after.low, after.high) == expected


class Heads(nn.Module):
    """Two outputs, in a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"small": self.a(x), "large": self.b(x)}


@pytest.mark.parametrize(("output", "layer"), [("small", "a"), ("large", "b"), (1, "b")])
def test_the_task_says_which_output_is_judged(output: Any, layer: str) -> None:
    module = seeded(Heads)
    original = Original(module, (4,), task=Task("classification", output=output))
    inputs, labels = noise(30, 4), torch.arange(30) % 3
    right = run(module.get_submodule(layer), inputs).argmax(1) == labels
    found = measure(compress(original, ()), Dataset.of(inputs, labels))
    assert found.accuracy.accuracy == pytest.approx(float(right.float().mean()))


def test_several_outputs_of_which_none_is_named_are_refused_in_words() -> None:
    made = compress(Original(seeded(Heads), (4,)), ())
    with pytest.raises(ValueError, match=r"gives out 'small', 'large', and which of them counts"):
        measure(made, Dataset.of(noise(9, 4), torch.zeros(9).long()))


class Both(nn.Module):
    """An image and tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.words = nn.Linear(12, 3), nn.Embedding(6, 3)

    def forward(self, image: Tensor, words: Tensor) -> Tensor:
        seen: Tensor = self.image(image.flatten(1)) + self.words(words).mean(1)
        return seen


@pytest.mark.parametrize(
    "given",
    [
        {"input_shape": ((3, 2, 2), (5,)), "input_dtype": (torch.float32, torch.int64)},
        {"example": (torch.zeros(1, 3, 2, 2), torch.zeros(1, 5).long())},
    ],
)
def test_a_network_of_two_inputs_is_compressed_and_measured(given: dict[str, Any]) -> None:
    images, words = noise(20, 3, 2, 2), torch.randint(6, (20, 8))  # longer than the example
    labels = torch.arange(20) % 3
    train = Dataset.of((images, words), labels, split="train")
    original = Original(seeded(Both), **given, calibration=train)
    made = compress(original, QUANTIZED)
    report = measure(made, Dataset.of((images, words), labels))
    right = run(made.module, images, words).argmax(1) == labels
    assert report.accuracy.accuracy == pytest.approx(float(right.float().mean()))
    assert report.size.original_macs == 36
    assert original.calibrate(20).gradients("image").shape == (3, 12)


class Broken(nn.Module):
    """Gives out what it was built with in place of its first answer."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value, self.fc = value, nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x)
        return torch.cat([torch.full_like(out[:1], self.value), out[1:]])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("labels", [torch.zeros(5).long(), noise(5, 3), None])
def test_answers_that_are_no_numbers_are_refused(value: float, labels: Tensor | None) -> None:
    made = compress(Original(seeded(lambda: Broken(value)), (4,)), ())
    with pytest.raises(ValueError, match="1 of 5 answers are NaN or infinite"):
        measure(made, Dataset.of(noise(5, 4), labels))


def test_a_class_that_is_masked_is_an_answer() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x) + torch.tensor([0, -math.inf, 0])

    report = measure(
        compress(Original(seeded(Masked), (4,)), ()), Dataset.of(noise(5, 4), torch.zeros(5).long())
    )
    assert report.score.metric == "accuracy"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Dataset.of(noise(1, 4), noise(1, 2)), "one row has no interval"),
        (Dataset.of(noise(5, 4), torch.ones(5, 2).mul(0.7)), "all 5 rows expect the same numbers"),
        (Dataset.of(noise(5, 7)), "Linear does not run on"),
    ],
)
def test_data_on_which_nothing_can_be_measured_are_refused(data: Dataset, words: str) -> None:
    with pytest.raises(DataError if "run" not in words else ValueError, match=words):
        measure(compress(regressor(), ()), data)


def test_an_output_without_a_batch_is_refused() -> None:
    class Mean(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).mean()

    made = compress(Original(seeded(lambda: Mean(4, 3)), (4,)), ())
    with pytest.raises(DataError, match=r"output for 2 rows is \(\); its first dimension must"):
        measure(made, Dataset.of(noise(5, 4)))


def test_labels_of_any_memory_layout_are_judged() -> None:
    net = nn.Sequential(nn.Linear(4, 6)).eval()
    labels = torch.rand(6, 10).T  # not contiguous
    data = Dataset.of(torch.rand(10, 4), labels)
    report = measure(compress(Original(net, (4,), task="regression"), ()), data)
    assert report.score.n == 10


class Counting(nn.Module):
    """Its forward changes a buffer, and the buffer its answers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        out: Tensor = self.fc(x) * (1 + self.runs)
        return out


def test_each_measurement_starts_from_the_network_as_it_came() -> None:
    original = Original(Counting().eval(), (4,), task="regression")
    data, digest = Dataset.of(torch.rand(50, 4), torch.rand(50, 3)), original.digest
    made = compress(original, (Quantize(bits=8),))
    first, again = measure(made, data), measure(made, data)
    assert first.score == again.score
    assert measure(compress(original, ()), data).change.difference == 0
    assert made.module.runs == original.module.runs == 0
    assert Original(original.pristine, (4,)).digest == digest


def test_what_cannot_be_measured_is_told_what_to_pass(digits_cnn: Original) -> None:
    data = Dataset.of(torch.rand(4, 1, 8, 8))
    with pytest.raises(ValueError, match="is not compressed; pass compress"):
        measure(digits_cnn, data)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"data is a tuple; pass Dataset\.of"):
        measure(compress(digits_cnn, ()), (1, 2))  # type: ignore[arg-type]
