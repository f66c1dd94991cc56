"""What layers see on data: moments, gradients and outputs, against sums written out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_core import calibration
from compress_core.calibration import Calibration
from compress_core.data import Dataset
from compress_core.models.networks import digits_transformer
from compress_core.original import Original
from compress_core.weights import walk_layers


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def dataset(images: Tensor, classes: int = 3) -> Dataset:
    labels = torch.arange(len(images)) % classes
    return Dataset("toy", "train", images, labels, tuple("abcdefghij"[:classes]))


def calibrated(model: nn.Module, images: Tensor, classes: int = 3) -> Calibration:
    model = model.eval().requires_grad_(False)
    return Calibration(model, walk_layers(model), dataset(images, classes))


def brute_force_rows(conv: nn.Conv2d, images: Tensor, group: int) -> list[Tensor]:
    """Each patch of each padded image, channel by channel, as lists would do it."""
    width = conv.in_channels // conv.groups
    pad = conv.padding[0]
    padded = torch.zeros(len(images), conv.in_channels, *(s + 2 * pad for s in images.shape[2:]))
    padded[:, :, pad : padded.shape[2] - pad, pad : padded.shape[3] - pad] = images
    kh, kw = conv.kernel_size
    step = conv.stride[0]
    return [
        image[group * width : (group + 1) * width, y : y + kh, x : x + kw].flatten().double()
        for image in padded
        for y in range(0, padded.shape[2] - kh + 1, step)
        for x in range(0, padded.shape[3] - kw + 1, step)
    ]


@pytest.mark.parametrize("groups", [1, 2])
def test_moments_of_a_convolution_are_those_of_its_patches(groups: int) -> None:
    conv = nn.Conv2d(4, 6, (3, 2), padding=1, stride=2, groups=groups)
    images = normal(5, 4, 6, 7)
    found = calibrated(nn.Sequential(conv), images).moments("0")
    means, grams = found.mean.view(groups, -1), found.gram.view(groups, *found.gram.shape[-2:])
    for group in range(groups):
        rows = brute_force_rows(conv, images, group)
        assert found.count == len(rows)
        torch.testing.assert_close(means[group], sum(rows) / len(rows))
        outer = sum(torch.outer(row, row) for row in rows) / len(rows)
        torch.testing.assert_close(grams[group], outer)


def test_moments_of_one_group_have_no_dimension_for_it() -> None:
    found = calibrated(nn.Sequential(nn.Linear(5, 4)), normal(7, 5)).moments("0")
    assert (found.mean.shape, found.gram.shape) == ((5,), (5, 5))
    assert (found.mean.dtype, found.gram.dtype) == (torch.float64, torch.float64)


def test_moments_of_a_depthwise_convolution_are_one_for_each_channel() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    found = calibrated(model, normal(7, 4, 5, 5)).moments("0")
    assert (found.mean.shape, found.gram.shape) == ((4, 9), (4, 9, 9))


def test_moments_of_a_conv1d_by_numpy() -> None:
    images = normal(3, 2, 6)
    windows = images.unfold(2, 3, 1).permute(0, 2, 1, 3).reshape(-1, 6).double()
    found = calibrated(nn.Sequential(nn.Conv1d(2, 4, 3)), images).moments("0")
    torch.testing.assert_close(found.gram, windows.T @ windows / len(windows))


def test_the_second_layer_sees_what_the_first_gives() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    images = normal(9, 4)
    found = calibrated(model, images).moments("2")
    seen = model[1](model[0](images)).double()
    torch.testing.assert_close(found.mean, seen.mean(0))
    torch.testing.assert_close(found.gram, seen.T @ seen / 9)


def test_mean_squares_are_the_diagonal_of_the_gram(zoo_model: Original) -> None:
    data = dataset(normal(300, *zoo_model.input_shape).clamp(0, 9))  # more than one batch
    found = Calibration(zoo_model.module, zoo_model.layers, data)
    seen = {name for name, layer in zoo_model.layers.items() if not layer.hides_inputs}
    for name in seen - {"attention.out_proj"}:
        diagonal = found.moments(name).gram.diagonal(dim1=-2, dim2=-1)
        torch.testing.assert_close(found.mean_squares(name), diagonal)
        torch.testing.assert_close(found.means(name), found.moments(name).mean)


def test_moments_do_not_depend_on_how_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.Linear(6, 3))
    together = calibrated(model, normal(9, 4))
    monkeypatch.setattr(calibration, "GRAM_BYTES", 8 * (16 + 25))  # the first two, then the third
    apart = calibrated(model, normal(9, 4))
    for name in ("3", "0", "2", "3"):
        assert torch.equal(apart.moments(name).gram, together.moments(name).gram)
    assert set(apart._grams) == {"3"}


def test_a_layer_with_very_many_rows_is_seen_by_a_share_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calibration, "MOST_ROWS", 1000)
    images = normal(100, 1, 12, 12)
    found = calibrated(nn.Sequential(nn.Conv2d(1, 2, 3)), images).moments("0")
    assert found.count == 1000
    # 1,000 standard normal values in each of 9 columns: a mean of squares within 0.045 standard
    # errors of 1, three or four times that for the worst of nine
    assert (found.gram.diagonal() - 1).abs().max() < 0.2


@pytest.mark.parametrize("name", ["tied", "repeated"])
def test_a_weight_used_twice_sees_the_inputs_of_both(
    animal: Callable[[str], Original], name: str
) -> None:
    original, images = animal(name), normal(6, 4)
    found = Calibration(original.module, original.layers, dataset(images)).moments("a")
    rows = torch.cat([images, torch.relu(original.module.a(images))]).detach().double()
    assert found.count == 12
    torch.testing.assert_close(found.gram, rows.T @ rows / 12)


@pytest.mark.parametrize("name", ["cross_attention", "packed_cross"])
def test_attention_projections_see_query_key_and_value(
    animal: Callable[[str], Original], name: str
) -> None:
    original, images = animal(name), normal(6, 3, 8)
    found = Calibration(original.module, original.layers, dataset(images))
    for layer, width in (("q_proj", 8), ("k_proj", 4), ("v_proj", 4)):
        rows = images[..., :width].reshape(-1, width).double()
        gram = found.moments(f"attention.{layer}").gram
        torch.testing.assert_close(gram, rows.T @ rows / len(rows))


def test_the_packed_projection_sees_the_query(animal: Callable[[str], Original]) -> None:
    original, images = animal("packed"), normal(6, 3, 8)
    found = Calibration(original.module, original.layers, dataset(images))
    rows = images.reshape(-1, 8).double()
    torch.testing.assert_close(found.moments("attention.in_proj").mean, rows.mean(0))


@pytest.mark.parametrize(
    ("name", "layer", "why"),
    [
        ("packed", "attention.out_proj", "the module around it reads the weight itself"),
        ("words", "embedding", "an embedding looks its rows up"),
    ],
)
@pytest.mark.parametrize(
    "question", ["moments", "means", "mean_squares", "input_range", "input_values"]
)
def test_inputs_that_cannot_be_seen_are_refused(
    animal: Callable[[str], Original], name: str, layer: str, why: str, question: str
) -> None:
    original = animal(name)
    data = dataset(normal(6, *original.input_shape).clamp(0, 9))
    found = Calibration(original.module, original.layers, data)
    with pytest.raises(ValueError, match=rf"{layer} has no inputs .*{why}.*leave it out"):
        getattr(found, question)(layer)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("packed", "attention.in_proj"), ("packed", "attention.out_proj")],
)
def test_outputs_that_cannot_be_seen_are_refused(
    animal: Callable[[str], Original], name: str, layer: str
) -> None:
    original = animal(name)
    found = Calibration(original.module, original.layers, dataset(normal(6, 3, 8)))
    with pytest.raises(ValueError, match=rf"{layer} has no outputs .*reads the weight itself"):
        found.outputs(layer)


def test_a_layer_that_nothing_calls_is_refused() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(4, 3), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.used(x)
            return out

    found = calibrated(Idle(), normal(5, 4))
    for question in (found.moments, found.outputs, found.gradients):
        with pytest.raises(ValueError, match=r"idle has no .* or does not use it"):
            question("idle")


def test_gradients_of_two_layers_by_hand() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    images = normal(300, 4)  # more than one batch
    found = calibrated(model, images)
    hidden = model[0](images).relu()
    wrong = model[2](hidden).softmax(1) - functional.one_hot(found.data.labels, 3)  # ∂L/∂logits · n
    back = (wrong @ model[2].weight) * (hidden > 0)
    torch.testing.assert_close(found.gradients("2"), wrong.T @ hidden / 300)
    torch.testing.assert_close(found.gradients("0"), back.T @ images / 300)


@pytest.mark.parametrize(
    "name",
    [
        *("tied", "repeated", "words", "attention", "cross_attention", "no_bias"),
        *("bare", "recurrent", "cell", "bilinear", "bag"),  # the bag's gradient is sparse
    ],
)
def test_gradients_are_autograds(animal: Callable[[str], Original], name: str) -> None:
    original = animal(name)
    images = normal(6, *original.input_shape).clamp(0, 9)
    found = Calibration(original.module, original.layers, dataset(images))
    model = original.with_module(original.module).module.requires_grad_(True)
    functional.cross_entropy(model(images), found.data.labels).backward()
    for name, layer in original.layers.items():
        expected = model.get_parameter(layer.key).grad.to_dense()
        torch.testing.assert_close(found.gradients(name), expected)


def test_the_mean_gradient_does_not_depend_on_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    whole = calibrated(model, normal(10, 4)).gradients("0")
    monkeypatch.setattr(calibration, "BATCH", 3)
    torch.testing.assert_close(calibrated(model, normal(10, 4)).gradients("0"), whole)


def test_outputs_by_hand_after_the_relu() -> None:
    model = nn.Sequential(nn.Linear(1, 3, bias=False), nn.ReLU())
    model[0].weight.data = torch.tensor([[1.0], [-2.0], [0.0]])
    found = calibrated(model, torch.tensor([[1.0], [2.0], [-3.0], [-4.0]])).outputs("0")
    # channels after the ReLU: 1 2 0 0, 0 0 6 8, 0 0 0 0
    assert found.mean.tolist() == [0.75, 3.5, 0.0]
    assert found.apoz.tolist() == [0.5, 0.5, 1.0]
    torch.testing.assert_close(found.std, torch.tensor([0.6875, 12.75, 0.0]).double().sqrt())


def test_outputs_of_a_convolution_are_per_channel_over_images_and_positions() -> None:
    conv = nn.Conv2d(2, 3, 3)
    images = normal(200, 2, 5, 5)  # more than one batch
    found = calibrated(nn.Sequential(conv), images).outputs("0")
    given = conv(images).movedim(1, 0).flatten(1).double()
    torch.testing.assert_close(found.mean, given.mean(1))
    torch.testing.assert_close(found.std, given.std(1, correction=0))


class Steps(nn.Module):
    """A convolution, and whatever follows it, given as a function."""

    def __init__(self, then: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.norm, self.then = nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self, self.conv(x))


ACTIVATED: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "function": lambda m, y: functional.relu(m.norm(y)),
    "in_place": lambda m, y: functional.relu(m.norm(y), inplace=True),
    "method": lambda m, y: m.norm(y).relu(),
    "keyword": lambda m, y: torch.relu(input=m.norm(y)),
    "module": lambda m, y: nn.ReLU()(functional.dropout(m.norm(y), training=False)),
}


@pytest.mark.parametrize("then", ACTIVATED.values(), ids=ACTIVATED)
def test_outputs_are_seen_through_a_norm(then: Callable[[Tensor], Tensor]) -> None:
    model, images = Steps(then), normal(4, 2, 6, 6)
    model.norm.running_mean = torch.tensor([0.1, -0.2, 0.3])
    found = calibrated(model, images).outputs("conv")
    given = model.norm(model.conv(images)).relu().movedim(1, 0).flatten(1).double()
    torch.testing.assert_close(found.mean, given.mean(1))
    torch.testing.assert_close(found.apoz, given.eq(0).double().mean(1))


LINEAR: dict[str, Callable[[Any, Tensor], Tensor]] = {
    "alone": lambda _m, y: y,
    "norm_alone": lambda m, y: m.norm(y),
    "pooled_first": lambda _m, y: functional.max_pool2d(y, 2).relu(),
    "residual": lambda _m, y: (y + 1.0).relu(),
    "residual_in_place": lambda m, y: m.norm(y).add_(1.0),
}


@pytest.mark.parametrize("then", LINEAR.values(), ids=LINEAR)
def test_outputs_that_no_non_linearity_follows_are_the_modules_own(
    then: Callable[[Tensor], Tensor],
) -> None:
    model, images = Steps(then), normal(4, 2, 6, 6)
    found = calibrated(model, images).outputs("conv")
    given = model.conv(images).movedim(1, 0).flatten(1).double()
    torch.testing.assert_close(found.mean, given.mean(1))
    torch.testing.assert_close(found.std, given.std(1, correction=0))


def added(y: Tensor) -> Tensor:
    y += 1.0
    return y.relu()


def gated(y: Tensor) -> Tensor:
    y[:, :1].mul_(0.5)
    return y.relu()


def doubled_into(y: Tensor) -> Tensor:
    torch.mul(y, 2, out=y)
    return y.relu_()


# each network that writes in place, and the same without
TWINS: dict[str, tuple[Callable[[Any, Tensor], Tensor], Callable[[Any, Tensor], Tensor]]] = {
    "a sum": (lambda _m, y: added(y), lambda _m, y: (y + 1.0).relu()),
    "a sum behind the norm": (lambda m, y: added(m.norm(y)), lambda m, y: (m.norm(y) + 1).relu()),
    "a gate on a view": (
        lambda _m, y: gated(y),
        lambda _m, y: torch.cat([y[:, :1] * 0.5, y[:, 1:]], 1).relu(),
    ),
    "out=": (lambda _m, y: doubled_into(y), lambda _m, y: (y * 2).relu()),
    "a module": (lambda _m, y: nn.ReLU(inplace=True)(y).mul_(3), lambda _m, y: y.relu() * 3),
    "ReLU6": (lambda _m, y: nn.ReLU6(inplace=True)(y), lambda _m, y: functional.relu6(y)),
    "SiLU": (lambda _m, y: functional.silu(y, inplace=True), lambda _m, y: functional.silu(y)),
}


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("name", TWINS)
def test_what_is_written_in_place_changes_no_statistic(name: str, mode: Callable[[], Any]) -> None:
    images, found = normal(4, 2, 6, 6), []
    for then in TWINS[name]:
        model = Steps(then)
        with torch.no_grad():
            model.conv.weight.copy_(torch.linspace(-1, 1, 54).view(3, 2, 3, 3))
            model.conv.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
        with mode():
            found.append(calibrated(model, images.clone()).outputs("conv"))
    for statistic in ("mean", "std", "apoz"):
        torch.testing.assert_close(getattr(found[0], statistic), getattr(found[1], statistic))


def test_the_images_stay_where_the_model_writes_to_its_input() -> None:
    images = normal(4, 3)
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 3))
    found = calibrated(model, images)
    for question in (found.means, found.outputs, found.gradients):
        question("1")
    assert torch.equal(images, normal(4, 3))


def test_a_model_that_does_not_run_with_gradients_is_refused() -> None:
    def halves(_model: Any, y: Tensor) -> Tensor:
        first, _ = y.flatten(1).split([3, y[0].numel() - 3], 1)
        return first.mul_(2)

    words = "this Steps does not run with gradients .*choose an importance that needs none"
    with pytest.raises(ValueError, match=words):
        calibrated(Steps(halves), normal(4, 2, 6, 6)).gradients("conv")


def test_outputs_of_tokens_are_per_channel_over_tokens() -> None:
    model, images = digits_transformer().eval(), torch.rand(5, 1, 8, 8)
    found = calibrated(model, images, classes=10).outputs("blocks.0.fc1")
    given: list[Tensor] = []
    handle = model.blocks[0].fc1.register_forward_hook(lambda _m, _i, out: given.append(out))
    model(images)
    handle.remove()
    expected = functional.gelu(given[0]).flatten(0, 1).double().mean(0)
    torch.testing.assert_close(found.mean, expected)


def test_input_values_are_all_of_them_where_there_are_few() -> None:
    images = normal(6, 4)
    values = calibrated(nn.Sequential(nn.Linear(4, 3)), images).input_values("0", 1000)
    assert sorted(values.tolist()) == sorted(images.flatten().tolist())


def test_input_values_are_a_repeatable_sample_of_the_layers_inputs() -> None:
    images = normal(300, 4)
    model = nn.Sequential(nn.Linear(4, 3))
    values = calibrated(model, images).input_values("0", 200)
    assert len(values) == pytest.approx(200, abs=3)
    assert set(values.tolist()) <= set(images.flatten().tolist())
    assert torch.equal(values, calibrated(model, images).input_values("0", 200))


def test_the_input_range_is_that_of_the_data_not_of_the_padding() -> None:
    images = normal(300, 1, 4, 4).abs() + 1
    found = calibrated(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)), images)
    assert found.input_range("0") == (float(images.min()), float(images.max()))


def test_calibrating_leaves_no_trace_on_the_model(digits_cnn: Original) -> None:
    before = {key: value.clone() for key, value in digits_cnn.module.state_dict().items()}
    found = digits_cnn.calibrate(20)
    for question in (found.moments, found.outputs, found.gradients, found.input_values):
        question("conv2")
    modules = list(digits_cnn.module.modules())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m.training for m in modules)
    assert not any(p.requires_grad or p.grad is not None for p in digits_cnn.module.parameters())
    after = digits_cnn.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
