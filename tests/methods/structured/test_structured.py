"""Structured pruning: the smaller network answers as the masked one, and nothing else changes."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from compress_core.methods.structured import (
    IMPORTANCES,
    Cut,
    Group,
    PruneStructured,
    channel_importance,
    couple,
    masked,
    plan_structured,
    shrink,
)
from compress_core.models.catalog import MODELS
from compress_core.models.networks import Attention, SmallVGG
from compress_core.original import Original, load_model
from tests.networks import Net


def residual(net: Net, x: Tensor) -> Tensor:
    x = torch.relu(net.stem_norm(net.stem(x)))
    x = torch.relu(x + net.norm2(net.conv2(torch.relu(net.norm1(net.conv1(x))))))
    return net.fc(x.mean((2, 3)))


def concat(net: Net, x: Tensor) -> Tensor:
    a = torch.relu(net.a(x))
    b = torch.relu(net.b(a))
    return net.fc(torch.relu(net.c(torch.cat([a, b], 1))).flatten(1))


def flat_concat(net: Net, x: Tensor) -> Tensor:
    return net.fc(torch.cat([torch.relu(net.a(x)), net.b(x)], 1).flatten(1))


def concat_sum(net: Net, x: Tensor) -> Tensor:
    return net.fc((torch.cat([net.a(x), net.b(x)], 1) + net.c(x)).mean((2, 3)))


def gated(net: Net, x: Tensor) -> Tensor:
    values, gate = net.a(x).chunk(2, dim=1)
    return net.fc((values * torch.sigmoid(gate)).mean((2, 3)))


def squeeze(net: Net, x: Tensor) -> Tensor:
    x = torch.relu(net.a(x))
    gate = net.up(torch.relu(net.down(x.mean((2, 3), keepdim=True))))
    return net.fc((x * torch.sigmoid(gate)).mean((2, 3)))


def attention(net: Net, x: Tensor) -> Tensor:
    x = x + net.attention(net.norm(x))
    return net.fc(x.mean(1))


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "plain": (
        lambda: nn.Sequential(
            nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.Tanh(), nn.Linear(6, 3)
        ),
        (5,),
    ),
    "f(0) is not 0": (
        lambda: nn.Sequential(nn.Linear(5, 8), nn.Sigmoid(), nn.Linear(8, 3)),
        (5,),
    ),
    "flatten": (
        lambda: nn.Sequential(nn.Conv2d(2, 6, 3), nn.Flatten(), nn.Linear(54, 4), nn.Linear(4, 3)),
        (2, 5, 5),
    ),
    "batch norm": (
        lambda: (
            nn.Sequential(
                nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 1)
            )
            .append(nn.BatchNorm2d(4, affine=False))
            .extend([nn.Flatten(), nn.Linear(36, 3)])
        ),
        (2, 5, 5),
    ),
    "conv1d": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 6, 3), nn.ReLU(), nn.Conv1d(6, 4, 3), nn.Flatten(), nn.Linear(12, 3)
        ),
        (2, 7),
    ),
    "residual": (
        lambda: Net(
            residual,
            stem=nn.Conv2d(2, 8, 3, bias=False),
            stem_norm=nn.BatchNorm2d(8),
            conv1=nn.Conv2d(8, 6, 3, padding=1),
            norm1=nn.BatchNorm2d(6),
            conv2=nn.Conv2d(6, 8, 3, padding=1),
            norm2=nn.BatchNorm2d(8),
            fc=nn.Linear(8, 3),
        ),
        (2, 6, 6),
    ),
    "concat": (
        lambda: Net(
            concat,
            a=nn.Conv2d(2, 8, 3),
            b=nn.Conv2d(8, 4, 3, padding=1),
            c=nn.Conv2d(12, 6, 1),
            fc=nn.Linear(54, 3),
        ),
        (2, 5, 5),
    ),
    "flattened concat": (
        lambda: Net(flat_concat, a=nn.Conv2d(2, 6, 3), b=nn.Conv2d(2, 4, 3), fc=nn.Linear(90, 3)),
        (2, 5, 5),
    ),
    "sum of a concat": (
        lambda: Net(
            concat_sum,
            a=nn.Conv2d(2, 8, 1),
            b=nn.Conv2d(2, 4, 1),
            c=nn.Conv2d(2, 12, 1),
            fc=nn.Linear(12, 3),
        ),
        (2, 5, 5),
    ),
    "gated": (lambda: Net(gated, a=nn.Conv2d(2, 12, 3), fc=nn.Linear(6, 3)), (2, 5, 5)),
    "squeeze": (
        lambda: Net(
            squeeze,
            a=nn.Conv2d(2, 8, 3),
            down=nn.Conv2d(8, 4, 1),
            up=nn.Conv2d(4, 8, 1),
            fc=nn.Linear(8, 3),
        ),
        (2, 5, 5),
    ),
    "grouped": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 8, 3),
            nn.ReLU(),
            nn.Conv2d(8, 12, 1, groups=2),
            nn.Flatten(),
            nn.Linear(108, 3),
        ),
        (2, 5, 5),
    ),
    "depthwise": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 8, 1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, groups=8),
            nn.Conv2d(8, 6, 1),
            nn.Flatten(),
            nn.Linear(54, 3),
        ),
        (2, 5, 5),
    ),
    "attention": (
        lambda: Net(
            attention, norm=nn.LayerNorm(12), attention=Attention(12, 4), fc=nn.Linear(12, 3)
        ),
        (5, 12),
    ),
    "encoder": (
        lambda: Net(
            lambda net, x: net.fc(net.layer(x).mean(1)),
            layer=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
            fc=nn.Linear(8, 3),
        ),
        (5, 8),
    ),
}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """A network with norms as after a training, and a batch of inputs for it."""
    make, shape = NETS[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = make().eval()
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_()
                part.running_var.uniform_(0.5, 2)
                if part.affine:
                    nn.init.normal_(part.weight)
                    nn.init.normal_(part.bias)
        return module, torch.randn(7, *shape)


def run(module: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        out: Tensor = module(x)
    return out


def cut_of(module: nn.Module, x: Tensor, step: PruneStructured, **options: Any) -> Cut:
    return plan_structured(step, module, couple(module, x[:1]), **options)


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def silenced(module: nn.Module, cut: Cut, x: Tensor) -> Tensor:
    """The oracle by hand: hooks put zeros in the outputs of the layers and norms of `cut`."""

    def silence(removed: tuple[int, ...]) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def hook(part: nn.Module, _: Any, out: Tensor) -> Tensor:
            axis = out.dim() - 1 if isinstance(part, nn.Linear) else 1
            return out.index_fill(axis, torch.tensor(removed), 0.0)

        return hook

    hooks = [
        module.get_submodule(name).register_forward_hook(silence(removed))
        for name, removed in cut.outputs.items()
    ]
    out = run(module, x)
    for hook in hooks:
        hook.remove()
    return out


def assert_close(actual: Tensor, expected: Tensor) -> None:
    assert (actual - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("ratio", [0.3, 0.7, 0.99])
@pytest.mark.parametrize("name", NETS)
def test_the_pruned_network_answers_as_the_masked_one(name: str, ratio: float, scope: Any) -> None:
    module, x = build(name)
    cut = cut_of(module, x, PruneStructured(ratio, scope=scope))
    small = shrink(module, cut).module
    assert parameters(small) < parameters(module)
    assert_close(run(small, x), run(masked(module, cut), x))


# Silence in front of a sigmoid is not silence behind it; the encoder's fast path runs no hooks.
HOOKED = sorted(NETS.keys() - {"f(0) is not 0", "encoder"})


@pytest.mark.parametrize("name", HOOKED)
def test_the_pruned_network_answers_as_with_its_channels_silenced_by_hand(name: str) -> None:
    module, x = build(name)
    cut = cut_of(module, x, PruneStructured(0.5))
    assert_close(run(shrink(module, cut).module, x), silenced(module, cut, x))


@pytest.mark.parametrize("importance", ["l1", "random"])
@pytest.mark.parametrize("name", MODELS)
def test_every_shipped_network_answers_as_its_masked_one(name: str, importance: Any) -> None:
    original = load_model(name)
    x = torch.rand(8, *original.input_shape, generator=torch.Generator().manual_seed(0))
    cut = cut_of(original.module, x, PruneStructured(0.5, importance))
    small = shrink(original.module, cut).module
    assert parameters(small) < 0.7 * parameters(original.module)
    assert_close(run(small, x), run(masked(original.module, cut), x))
    assert_close(run(small, x), silenced(original.module, cut, x))


def test_removing_dead_neurons_leaves_the_outputs_unchanged() -> None:
    module, x = build("flatten")
    dead = (1, 4)
    with torch.no_grad():
        module[0].weight[list(dead)] = 0
        module[0].bias[list(dead)] = 0
    cut = cut_of(module, x, PruneStructured(1 / 3, layers=("0",)))
    assert cut.outputs["0"] == dead
    assert_close(run(shrink(module, cut).module, x), run(module, x))


def test_neurons_that_never_fire_go_first_by_apoz() -> None:
    module, x = build("plain")
    with torch.no_grad():
        module[0].bias[:] = torch.tensor([9.0, 9, -99, 9, 9, -99, 9, 9])
    apoz = (torch.relu(module[0](x)) == 0).double().mean(0)
    step = PruneStructured(0.25, "apoz", layers=("0",))
    cut = cut_of(module, x, step, statistics={"0": apoz})
    assert cut.outputs == {"0": (2, 5)}
    assert_close(run(shrink(module, cut).module, x), run(module, x))


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 20), (0.25, 15), (0.5, 10), (0.99, 1)])
def test_the_ratio_is_an_exact_number_of_channels(ratio: float, kept: int) -> None:
    original = load_model("mnist-lenet-5")
    cut = cut_of(original.module, original.example, PruneStructured(ratio))
    small = shrink(original.module, cut).module
    assert small.conv1.out_channels == small.conv2.in_channels == kept
    assert small.conv1.weight.shape == (kept, 1, 5, 5)
    assert small.fc1.in_features == 16 * small.conv2.out_channels
    assert small.fc2.out_features == 10


def test_half_of_lenet_5_has_the_parameters_of_a_10_25_250_10_network() -> None:
    original = load_model("mnist-lenet-5")
    cut = cut_of(original.module, original.example, PruneStructured(0.5))
    expected = (25 * 10 + 10) + (10 * 25 * 25 + 25) + (25 * 16 * 250 + 250) + (250 * 10 + 10)
    assert parameters(shrink(original.module, cut).module) == expected


def test_global_scope_takes_the_fraction_of_all_channels() -> None:
    original = load_model("mnist-lenet-5")
    cut = cut_of(original.module, original.example, PruneStructured(0.5, scope="global"))
    removed = {name: len(indices) for name, indices in cut.outputs.items()}
    assert sum(removed.values()) == (20 + 50 + 500) // 2
    assert removed["fc1"] != 250


def test_the_channels_of_least_norm_go() -> None:
    module, x = build("plain")
    cut = cut_of(module, x, PruneStructured(0.5, "l1", layers=("0",)))
    smallest = module[0].weight.abs().sum(1).argsort()[:4]
    assert cut.outputs == {"0": tuple(sorted(smallest.tolist()))}


def test_coupled_channels_are_judged_by_the_sum_of_their_importances() -> None:
    module, x = build("residual")
    total = module.stem.weight.flatten(1).norm(dim=1) + module.conv2.weight.flatten(1).norm(dim=1)
    cut = cut_of(module, x, PruneStructured(0.5, layers=("stem", "conv2")))
    expected = tuple(sorted(total.argsort()[:4].tolist()))
    assert cut.outputs["stem"] == cut.outputs["conv2"] == expected
    assert cut.outputs["norm2"] == cut.inputs["conv1"] == cut.inputs["fc"] == expected


def test_heads_go_whole_with_their_rows_of_q_k_and_v() -> None:
    module, x = build("attention")
    cut = cut_of(module, x, PruneStructured(0.5))
    small = shrink(module, cut).module.attention
    removed = cut.heads["attention"]
    assert len(removed) == small.heads == 2
    assert small.head_width == 3
    assert small.qkv.weight.shape == (18, 12)
    assert small.proj.weight.shape == (12, 6)
    rows = [part * 12 + head * 3 + i for part in range(3) for head in removed for i in range(3)]
    assert list(cut.outputs["attention.qkv"]) == sorted(rows)


def test_attention_without_a_head_equals_attention_over_the_others() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module, x = Net(attention, norm=nn.Identity(), attention=Attention(8, 2)), None
        module.add_module("fc", nn.Identity())
        x = torch.randn(3, 5, 8)
    module = module.eval()
    cut = cut_of(module, x, PruneStructured(0.5))
    (gone,) = cut.heads["attention"]
    kept = slice(4, 8) if gone == 0 else slice(0, 4)
    q, k, v = (part[..., kept] for part in module.attention.qkv(x).chunk(3, dim=-1))
    mixed = functional.softmax(q @ k.transpose(1, 2) / 2, dim=-1) @ v  # √head_width = 2
    expected = mixed @ module.attention.proj.weight[:, kept].T + module.attention.proj.bias
    assert_close(run(shrink(module, cut).module.attention, x), expected.detach())


def test_what_is_kept_embeds_the_small_weight_in_the_large_one() -> None:
    original = load_model("digits-cnn")
    shrunk = shrink(
        original.module, cut_of(original.module, original.example, PruneStructured(0.5))
    )
    for name, layer in original.layers.items():
        rows, inputs = shrunk.kept[name], shrunk.kept_inputs[name]
        small = shrunk.module.get_submodule(name).weight
        assert torch.equal(small, layer.weight[rows][:, inputs])
        assert torch.equal(
            shrunk.module.get_submodule(name).bias, original.module.get_submodule(name).bias[rows]
        )


@pytest.mark.parametrize("name", ["grouped", "depthwise", "residual", "attention"])
def test_grouped_weights_embed_too(name: str) -> None:
    module, x = build(name)
    shrunk = shrink(module, cut_of(module, x, PruneStructured(0.5)))
    for layer, inputs in shrunk.kept_inputs.items():
        weight = module.get_submodule(layer).weight[shrunk.kept[layer]][:, inputs]
        assert torch.equal(shrunk.module.get_submodule(layer).weight, weight)


def test_the_input_is_untouched() -> None:
    module, x = build("residual")
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    random_state = torch.get_rng_state()
    cut = cut_of(module, x, PruneStructured(0.5))
    shrink(module, cut)
    masked(module, cut)
    after = module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(part._forward_hooks or part.training for part in module.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


def test_parameters_that_need_no_gradient_stay_so() -> None:
    module, x = build("batch norm")
    module.requires_grad_(False)
    small = shrink(module, cut_of(module, x, PruneStructured(0.5))).module
    assert not any(parameter.requires_grad for parameter in small.parameters())
    assert not any(part.training for part in small.modules())


def test_the_same_seed_removes_the_same_channels() -> None:
    module, x = build("concat")
    first, again, other = (
        cut_of(module, x, PruneStructured(0.5, "random", seed=seed)) for seed in (0, 0, 1)
    )
    assert first.outputs == again.outputs != other.outputs


def test_naming_one_layer_does_not_change_its_draw() -> None:
    module, x = build("concat")
    all_layers = cut_of(module, x, PruneStructured(0.5, "random"))
    alone = cut_of(module, x, PruneStructured(0.5, "random", layers=("c",)))
    assert alone.outputs == {"c": all_layers.outputs["c"]}


def test_only_the_named_layers_lose_channels() -> None:
    original = load_model("digits-cnn")
    cut = cut_of(original.module, original.example, PruneStructured(0.5, layers=("conv*",)))
    assert set(cut.outputs) == {"conv1", "conv2"}
    assert set(cut.inputs) == {"conv2", "fc1"}


def test_the_floor_is_kept_and_said() -> None:
    original = load_model("digits-cnn")
    cut = cut_of(original.module, original.example, PruneStructured(0.9, floor=12))
    small = shrink(original.module, cut).module
    assert (small.conv1.out_channels, small.conv2.out_channels) == (12, 12)
    assert small.fc1.out_features == 12
    assert cut.floored == ("conv1", "conv2", "fc1")


def test_a_floor_above_the_width_keeps_the_layer_whole() -> None:
    original = load_model("digits-cnn")
    cut = cut_of(original.module, original.example, PruneStructured(0.5, floor=20))
    assert shrink(original.module, cut).module.conv1.out_channels == 16


@cache
def coupled(name: str) -> tuple[nn.Module, Tensor, tuple[Group, ...]]:
    module, x = build(name)
    return module, x, couple(module, x[:1])


@given(
    st.sampled_from(sorted(NETS)),
    st.floats(0, 0.999),
    st.sampled_from(["global", "layer"]),
    st.integers(1, 5),
    st.integers(0, 9),
)
def test_no_layer_is_ever_emptied(
    name: str, ratio: float, scope: Any, floor: int, seed: int
) -> None:
    module, x, groups = coupled(name)
    step = PruneStructured(ratio, "random", scope, floor, seed=seed)
    cut = plan_structured(step, module, groups)
    shrunk = shrink(module, cut)
    for layer, kept in shrunk.kept.items():
        weight = getattr(module.get_submodule(layer), "weight", None)
        width = len(kept) + len(cut.outputs.get(layer, ()))
        assert len(kept) >= min(floor, width)
        assert weight is None or width == weight.shape[0]
    assert all(len(kept) for kept in shrunk.kept_inputs.values())
    assert_close(run(shrunk.module, x), run(masked(module, cut), x))


def test_importances_are_those_of_their_formulas() -> None:
    weight = torch.tensor([[3.0, -4.0], [0.0, 2.0]])
    gradient = torch.tensor([[1.0, 1.0], [5.0, -1.0]])
    outputs = torch.tensor([-0.5, 0.25])
    assert channel_importance("l1", weight).tolist() == [7, 2]
    assert channel_importance("l2", weight).tolist() == [5, 2]
    assert channel_importance("taylor", weight, gradient).tolist() == [7, 2]
    assert channel_importance("mean", weight, outputs).tolist() == [0.5, 0.25]
    assert channel_importance("std", weight, outputs.abs()).tolist() == [0.5, 0.25]
    assert channel_importance("apoz", weight, outputs.abs()).tolist() == [0.5, 0.75]


def test_taylor_keeps_what_the_loss_feels() -> None:
    module, x = build("plain")
    loss = functional.cross_entropy(module(x), torch.zeros(len(x), dtype=torch.int64))
    (gradient,) = torch.autograd.grad(loss, [module[0].weight])
    step = PruneStructured(0.5, "taylor", layers=("0",))
    cut = cut_of(module, x, step, statistics={"0": gradient})
    expected = (module[0].weight * gradient).abs().sum(1).argsort()[:4]
    assert cut.outputs["0"] == tuple(sorted(expected.tolist()))


def locked(groups: tuple[Group, ...]) -> dict[str, str | None]:
    return {"|".join(group.layers): group.locked for group in groups}


def test_the_output_layer_and_the_normalized_width_are_locked() -> None:
    original = load_model("digits-transformer")
    reasons = locked(couple(original.module, original.example))
    assert reasons["head"] == "its channels are the network's output"
    assert "(LayerNorm) normalizes over all" in str(reasons["patches|blocks.0.fc2|blocks.1.fc2"])
    assert reasons["blocks.0.attention.qkv"] is None


def shuffled(net: Net, x: Tensor) -> Tensor:
    x = net.a(x)
    return net.fc(x.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2).mean((2, 3)))


LOCKED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "a group norm": (
        lambda: nn.Sequential(nn.Conv2d(2, 8, 3), nn.GroupNorm(2, 8), nn.Conv2d(8, 3, 3)),
        (2, 5, 5),
        "GroupNorm",
    ),
    "a softmax over channels": (
        lambda: nn.Sequential(nn.Linear(2, 8), nn.Softmax(1), nn.Linear(8, 3)),
        (2,),
        "changes the others",
    ),
    "a channel shuffle": (
        lambda: Net(shuffled, a=nn.Conv2d(2, 8, 3), fc=nn.Linear(8, 3)),
        (2, 5, 5),
        "does not run",
    ),
    "a gate of halves": (
        lambda: nn.Sequential(nn.Linear(2, 8), nn.GLU(), nn.Linear(4, 3)),
        (2,),
        "does not run",
    ),
    "one group a channel, twice as many out": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 2, 1), nn.Conv2d(2, 4, 1, groups=2), nn.Flatten(), nn.Linear(36, 3)
        ),
        (2, 3, 3),
        "only go together",
    ),
}


@pytest.mark.parametrize("name", LOCKED)
def test_channels_that_cannot_go_alone_are_locked_with_the_reason(name: str) -> None:
    make, shape, reason = LOCKED[name]
    groups = couple(make().eval(), torch.zeros(1, *shape))
    assert reason in str(groups[0].locked)


def test_tied_weights_are_locked(animal: Callable[[str], Original]) -> None:
    tied = animal("tied")
    reasons = locked(couple(tied.module, tied.example))
    assert "its weights are tied (a.weight, a.bias, b.weight, b.bias)" in reasons.values()


@pytest.mark.parametrize(
    ("name", "layers", "words"),
    [
        ("packed", ("*in_proj",), ["no channel of attention.in_proj", "ties its heads"]),
        ("words", ("embedding",), ["no channel of embedding", "width is not pruned"]),
        ("one_weight", ("*",), ["no channel of fc", "network's output", "prune its weights"]),
        ("no_bias", ("fc2",), ["no channel of fc2", "network's output", "such as fc1"]),
        ("no_bias", ("fc3",), ["layers='fc3'", "matches no layer"]),
    ],
)
def test_a_step_without_effect_is_refused(
    animal: Callable[[str], Original], name: str, layers: tuple[str, ...], words: list[str]
) -> None:
    original = animal(name)
    groups = couple(original.module, original.example)
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        plan_structured(PruneStructured(0.5, layers=layers), original.module, groups)


def test_the_projection_behind_the_heads_is_refused_with_the_reason(
    digits_transformer: Original,
) -> None:
    groups = couple(digits_transformer.module, digits_transformer.example)
    step = PruneStructured(0.5, layers=("blocks.0.attention.proj",))
    with pytest.raises(ValueError, match=r"only heads \(of qkv\) can go there; name others, such"):
        plan_structured(step, digits_transformer.module, groups)


def test_half_of_a_coupled_pair_is_refused() -> None:
    module, x = build("residual")
    words = r"layers='stem': .* coupled with those of conv2.*same step: layers=stem\|conv2"
    with pytest.raises(ValueError, match=words):
        cut_of(module, x, PruneStructured(0.5, layers=("stem",)))


def test_the_layers_that_a_step_has_won_go_before_its_patterns() -> None:
    original = load_model("digits-cnn")
    cut = cut_of(original.module, original.example, PruneStructured(0.5), layers={"conv2"})
    assert set(cut.outputs) == {"conv2"}


@pytest.mark.parametrize(
    ("importance", "needed"), [item for item in IMPORTANCES.items() if item[1] is not None]
)
def test_missing_statistics_are_refused(importance: Any, needed: str) -> None:
    module, x = build("plain")
    with pytest.raises(ValueError, match=f"importance='{importance}' needs the {needed} of 0.*l1"):
        cut_of(module, x, PruneStructured(0.5, importance))


def test_a_network_that_cannot_be_traced_is_refused() -> None:
    module, _ = build("plain")
    with pytest.raises(ValueError, match=r"channels of this Sequential cannot be followed \(mat1"):
        couple(module, torch.zeros(1, 4))


def test_a_layer_that_the_output_does_not_hang_on_is_refused() -> None:
    module = Net(lambda net, x: net.a(x), a=nn.Linear(2, 3), b=nn.Linear(2, 3)).eval()
    with pytest.raises(ValueError, match=r"no channel of b .* takes no part in the network's"):
        cut_of(module, torch.zeros(1, 2), PruneStructured(0.5, layers=("b",)))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_caller_may_have_switched_gradients_off(mode: Callable[[], Any]) -> None:
    module, x = build("residual")
    expected = locked(couple(module, x[:1]))
    with mode():
        assert locked(couple(module, torch.zeros_like(x[:1]))) == expected


def test_pruning_twice_halves_twice() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module, x = SmallVGG().eval(), torch.rand(2, 1, 28, 28)
    once = shrink(module, cut_of(module, x, PruneStructured(0.5))).module
    twice = shrink(once, cut_of(once, x, PruneStructured(0.5))).module
    assert [twice.conv1.out_channels, twice.conv5.out_channels] == [8, 32]
    assert run(twice, x).shape == (2, 10)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pruning_ratio": 1}, ["pruning_ratio=1", "below 1", "leave no channel"]),
        ({"pruning_ratio": -0.1}, ["pruning_ratio=-0.1", "at least 0", "fraction"]),
        ({"pruning_ratio": 0.5, "importance": "l3"}, ["importance='l3'", "l1, l2, taylor"]),
        ({"pruning_ratio": 0.5, "scope": "model"}, ["scope='model'", "global, layer"]),
        ({"pruning_ratio": 0.5, "floor": 0}, ["floor=0", "at least 1", "keeps one"]),
        ({"pruning_ratio": 0.5, "floor": 1.5}, ["floor=1.5", "whole number"]),
        ({"pruning_ratio": 0.5, "samples": 0}, ["samples=0", "at least 1", "256"]),
        ({"pruning_ratio": 0.5, "seed": -1}, ["seed=-1", "at least 0"]),
        ({"pruning_ratio": 0.5, "layers": ()}, ["layers=()", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        PruneStructured(**settings)
