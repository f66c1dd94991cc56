"""Networks made smaller through compress(): shapes, costs, and outputs that must not change."""

from collections import OrderedDict
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from compress_core.applying.fold import refuse_fold
from compress_core.applying.structured import refuse_removal
from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.accuracy import accuracy_of, predicted_classes
from compress_core.measurement.report import measure_size
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.pruning import PruneWanda
from compress_core.methods.quantization import Quantize, QuantizeGPTQ
from compress_core.methods.structured import Importance, PruneStructured
from compress_core.network import start
from compress_core.original import Original
from compress_core.storage.container import decode


def outputs(original: Original, images: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = original.module(images)
    return found


def train_split(images: Tensor) -> Dataset:
    return Dataset("noise", "train", images, torch.arange(len(images)) % 3, tuple("abc"))


@pytest.mark.parametrize("importance", get_args(Importance))
def test_every_importance_removes_the_same_number_of_channels(
    digits_cnn: Original, importance: Importance
) -> None:
    step = PruneStructured(0.5, importance=importance, samples=64)
    size = measure_size(compress(digits_cnn, (step,)))
    shapes = {row.name: row.shape for row in size.layers}
    assert shapes == {
        "conv1": (8, 1, 3, 3),
        "conv2": (16, 8, 3, 3),
        "fc1": (32, 256),
        "fc2": (10, 32),
    }
    assert size.original_bytes == digits_cnn.stored_bytes
    assert size.macs < 0.3 * size.original_macs
    assert [row.sqnr_db for row in size.layers] == [None] * 4


def test_data_and_norms_beat_chance_by_far(digits_cnn: Original, digits: Dataset) -> None:
    found = {}
    for importance in ("l2", "taylor", "random"):
        step = PruneStructured(0.2, importance=importance)
        classes = predicted_classes(compress(digits_cnn, (step,)).module, digits)
        found[importance] = accuracy_of(classes, digits).accuracy
    assert found["taylor"] > 0.8
    assert min(found["l2"], found["taylor"]) > found["random"]


@pytest.mark.parametrize("importance", ["mean", "std", "apoz"])
def test_neurons_that_never_fire_leave_without_a_trace(importance: Importance) -> None:
    fc1 = nn.Linear(5, 8)
    fc1.weight.data[::2], fc1.bias.data[::2] = 0, -1
    fc1.bias.data[1::2] = 3
    module = nn.Sequential(OrderedDict(fc1=fc1, relu=nn.ReLU(), fc2=nn.Linear(8, 3))).eval()
    images = torch.rand(30, 5)
    original = Original(module, (5,), calibration=train_split(images))
    compressed = compress(original, (PruneStructured(0.5, importance=importance, samples=30),))
    assert compressed.layers["fc1"].layer.shape == (4, 5)
    with torch.inference_mode():
        found = compressed.module(images)
    torch.testing.assert_close(found, outputs(original, images))


def test_heads_leave_whole(digits_transformer: Original, digits: Dataset) -> None:
    step = PruneStructured(0.5, layers=("*.qkv",))
    compressed = compress(digits_transformer, (step,))
    smaller = [s for s in compressed.layers.values() if s.layer.name.endswith("qkv")]
    before = [digits_transformer.layers[s.layer.name].shape[0] for s in smaller]
    assert [s.layer.shape[0] for s in smaller] == [count // 2 for count in before]
    assert predicted_classes(compressed.module, digits).shape == (600,)


def test_later_steps_are_calibrated_on_the_smaller_network(digits_cnn: Original) -> None:
    recipe = (PruneStructured(0.5), PruneWanda(sparsity=0.5, samples=32), QuantizeGPTQ(samples=32))
    compressed = compress(digits_cnn, recipe)
    assert compressed.base.calibrate(32).moments("fc1").gram.shape == (256, 256)
    state = decode(compressed.container).state_dict
    for key, value in compressed.module.state_dict().items():
        assert torch.equal(state[key], value)


def test_a_layer_of_its_own_may_have_another_ratio(digits_cnn: Original) -> None:
    recipe = (PruneStructured(0.5), PruneStructured(0.25, layers=("conv1",)))
    layers = compress(digits_cnn, recipe).layers
    assert [s.layer.shape[0] for s in layers.values()] == [12, 16, 32, 10]


def test_a_ratio_that_removes_nothing_keeps_the_network(digits_cnn: Original) -> None:
    assert compress(digits_cnn, (PruneStructured(0.0),)).base is digits_cnn


def test_channels_are_coupled_once_for_every_ratio(
    digits_cnn: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compress_core.applying import structured

    fresh = Original(digits_cnn.module, (1, 8, 8))
    calls = []
    couple = structured.structured.couple
    monkeypatch.setattr(structured.structured, "couple", lambda *a: calls.append(1) or couple(*a))
    for ratio in (0.2, 0.4, 0.6):
        compress(fresh, (PruneStructured(ratio),))
    assert calls == [1]


def test_a_folded_norm_is_gone_and_the_network_computes_the_same(
    animal: Callable[[str], Original],
) -> None:
    original = animal("norm")
    compressed = compress(original, (FoldBatchNorm(),))
    assert {"conv.weight", "conv.bias"} == compressed.module.state_dict().keys()
    images = torch.rand(4, *original.input_shape)
    with torch.inference_mode():
        found = compressed.module(images)
    torch.testing.assert_close(found, outputs(original, images))
    assert compressed.stored_bytes < compress(original, ()).stored_bytes


def test_quantized_after_folding_are_the_weights_that_run(
    animal: Callable[[str], Original],
) -> None:
    both = compress(animal("norm"), (Quantize(bits=4), FoldBatchNorm()))
    folded = compress(animal("norm"), (FoldBatchNorm(),))
    error = (both.layers["conv"].dense - folded.layers["conv"].dense).abs()
    scale = both.layers["conv"].weights[0].codes.scale  # type: ignore[union-attr]
    assert (error.flatten(1).amax(1) <= scale / 2 * 1.001).all()


@pytest.mark.parametrize(
    ("name", "step", "words"),
    [
        ("no_bias", FoldBatchNorm(), "no batch norm to fold"),
        ("conv1d", PruneStructured(0.5), "its channels are the network's output"),
        ("words", PruneStructured(0.5, layers=("head",)), "the network's output"),
    ],
)
def test_what_the_network_does_not_have_is_refused(
    animal: Callable[[str], Original], name: str, step: PruneStructured, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        compress(animal(name), (step,))


class TwoWidths(nn.Module):
    """Each of two layers may be halved, but not both: what no trial of one group shows."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.a.out_features + self.b.out_features < 10:
            raise KeyError("too narrow")
        out: Tensor = self.c(self.b(self.a(x).relu()).relu())
        return out


def test_all_that_goes_is_tried_together_before_it_is_handed_out() -> None:
    original = Original(TwoWidths().eval(), (5,))
    words = r"layers=a\|b: without all of these channels at once .* does not run \('too narrow'\)"
    with pytest.raises(ValueError, match=words):
        compress(original, (PruneStructured(0.5),))
    compressed = compress(original, (PruneStructured(0.5, layers=("a",)),))
    assert compressed.layers["a"].layer.shape == (4, 5)


def test_each_layer_that_keeps_its_channels_or_norms_says_why(
    animal: Callable[[str], Original],
) -> None:
    norm, none = start(animal("norm")), start(animal("no_bias"))
    last = "keeps all of its channels: its channels are the network's output"
    assert refuse_removal(PruneStructured(0.5), "conv", norm) == last
    assert refuse_removal(PruneStructured(0.5), "fc1", none) is None
    assert refuse_fold(FoldBatchNorm(), "conv", norm) is None
    words = "has no batch norm to fold: the network has no batch norm"
    assert refuse_fold(FoldBatchNorm(), "fc1", none) == words


def test_half_of_a_coupled_pair_is_left_out_and_listed() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a1, self.a2, self.b = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 8)
            self.c = nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            h = self.a1(x).relu()
            out: Tensor = self.c(self.a2(h) + self.b(h))
            return out

    compressed = compress(Original(Sum().eval(), (5,)), (PruneStructured(0.5, layers=("a?",)),))
    (left_out,) = compressed.skipped
    assert left_out.layer == "a2"
    assert "coupled with those of b, and go only together" in left_out.reason
    assert compressed.layers["a1"].layer.shape == (4, 5)
