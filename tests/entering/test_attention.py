"""torch's attention and encoders, made of plain linear layers: equal answers, and reached."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.entering.attention import Attention, Encoder, EncoderLayer
from compress_core.entering.unpacking import unpack_attention
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import PruneWanda
from compress_core.methods.quantization import CorrectBias, QuantizeActivations, QuantizeGPTQ
from compress_core.original import Original

QUERIES, KEYS = 3, 4
CAUSAL = torch.ones(QUERIES, KEYS, dtype=torch.bool).triu(1)
PADDING = torch.tensor([[False, False, False, True], [False] * 4])

MODULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch first": {"batch_first": True},
    "no bias": {"bias": False},
    "other widths": {"kdim": 5, "vdim": 7},
    "other keys": {"kdim": 5, "bias": False, "batch_first": True},
    "further key": {"add_bias_kv": True},
    "zero key": {"add_zero_attn": True, "batch_first": True},
    "both": {"add_bias_kv": True, "add_zero_attn": True},
    "one head": {"num_heads": 1, "batch_first": True},
}
CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "no weights": {"need_weights": False},
    "weights of each head": {"average_attn_weights": False},
    "mask": {"attn_mask": CAUSAL},
    "mask of numbers": {"attn_mask": torch.randn(QUERIES, KEYS), "need_weights": False},
    "mask of each head": {"attn_mask": torch.randn(2 * 2, QUERIES, KEYS)},
    "causal": {"attn_mask": CAUSAL, "is_causal": True},
    "padding": {"key_padding_mask": PADDING},
    "padding of numbers": {"key_padding_mask": torch.randn(2, KEYS), "need_weights": False},
    "mask and padding": {"attn_mask": CAUSAL, "key_padding_mask": PADDING},
}


def attention(**options: Any) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    made = nn.MultiheadAttention(8, options.pop("num_heads", 2), **options).eval()
    for parameter in made.parameters():  # biases start as zeros
        parameter.data.normal_()
    return made


def inputs(module: nn.MultiheadAttention, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    sizes = ((QUERIES, module.embed_dim), (KEYS, module.kdim), (KEYS, module.vdim))
    shapes = ((batch, n, w) if module.batch_first else (n, batch, w) for n, w in sizes)
    query, key, value = (torch.randn(shape) for shape in shapes)
    return query, key, value


def unpacked(module: nn.Module) -> nn.Module:
    return unpack_attention(copy.deepcopy(module).requires_grad_(False))


def assert_equal_answers(found: Any, expected: Any) -> None:
    if isinstance(expected, tuple):
        for x, y in zip(found, expected, strict=True):
            assert_equal_answers(x, y)
    elif expected is None:
        assert found is None
    else:
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("module", MODULES)
def test_attention_answers_as_torchs(module: str, call: str) -> None:
    packed = attention(**MODULES[module])
    options = dict(CALLS[call])
    if call == "mask of each head":
        options["attn_mask"] = torch.randn(2 * packed.num_heads, QUERIES, KEYS)
    ours, given = unpacked(packed), inputs(packed)
    assert isinstance(ours, Attention)
    with torch.no_grad():
        expected = packed.double()(*(x.double() for x in given), **_double(options))
        found = ours.double()(*(x.double() for x in given), **_double(options))
    assert_equal_answers(found, expected)


def _double(options: dict[str, Any]) -> dict[str, Any]:
    return {
        k: v.double() if isinstance(v, Tensor) and v.is_floating_point() else v
        for k, v in options.items()
    }


@pytest.mark.parametrize("module", MODULES)
def test_one_sentence_without_a_batch_is_answered_as_by_torch(module: str) -> None:
    packed = attention(**MODULES[module])
    ours = unpacked(packed)
    query, key, value = (x.flatten(0, 1) for x in inputs(packed, batch=1))
    named = {"key_padding_mask": PADDING[0], "attn_mask": CAUSAL}
    with torch.no_grad():
        assert_equal_answers(ours(query, key, value, **named), packed(query, key, value, **named))


@pytest.mark.parametrize("module", ["plain", "batch first"])
def test_the_answer_can_be_viewed_flat_as_torchs(module: str) -> None:
    packed = attention(**MODULES[module])
    x = torch.randn(2, 3, 8)
    with torch.no_grad():
        assert packed(x, x, x)[0].is_contiguous()
        assert unpacked(packed)(x, x, x)[0].is_contiguous()


ENCODERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "batch first": {"batch_first": True},
    "norm first": {"norm_first": True, "batch_first": True},
    "gelu": {"activation": "gelu", "batch_first": True},
    "a function": {"activation": functional.silu},
    "a module": {"activation": nn.LeakyReLU(0.2), "batch_first": True},
    "no bias": {"bias": False, "batch_first": True},
    "odd heads": {"nhead": 1, "batch_first": True},
}


def encoder_layer(**options: Any) -> nn.TransformerEncoderLayer:
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(8, options.pop("nhead", 2), 16, **options).eval()


TOKENS = torch.randn(3, 3, 8)
SQUARE = torch.ones(3, 3, dtype=torch.bool).triu(1)
BEHIND = torch.tensor([[False] * 3, [False, True, True], [False, False, True]])
ENCODER_CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "mask": {"mask": SQUARE},
    "causal": {"mask": SQUARE, "is_causal": True},
    "padding": {"src_key_padding_mask": BEHIND},
    "padding before": {"src_key_padding_mask": BEHIND.flip(1)},
    "both": {"mask": SQUARE, "src_key_padding_mask": BEHIND},
}


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning", "ignore:enable_nested")
@pytest.mark.parametrize("call", ENCODER_CALLS)
@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("depth", [0, 2])
def test_encoders_answer_as_torchs(name: str, call: str, depth: int) -> None:
    packed: nn.Module = encoder_layer(**ENCODERS[name])
    named = dict(ENCODER_CALLS[call])
    if depth:
        packed = nn.TransformerEncoder(packed, depth, norm=nn.LayerNorm(8)).eval()
    elif "mask" in named:
        named["src_mask"] = named.pop("mask")
    ours = unpacked(packed)
    assert type(ours) is (Encoder if depth else EncoderLayer)
    packed.requires_grad_(False)  # as torch decides on its fast path
    with torch.no_grad():
        expected, found = packed(TOKENS, **named), ours(TOKENS, **named)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_a_decoder_calls_our_attention() -> None:
    torch.manual_seed(0)
    packed = nn.Transformer(8, 2, 1, 1, 16, batch_first=True).eval()
    ours = unpacked(packed)
    kinds = [type(part) for part in ours.modules()]
    assert kinds.count(Attention) == 3
    assert nn.MultiheadAttention not in kinds
    with torch.no_grad():
        expected = packed(TOKENS, TOKENS[:, :2], tgt_mask=SQUARE[:2, :2])
        found = ours(TOKENS, TOKENS[:, :2], tgt_mask=SQUARE[:2, :2])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


class OwnForward(nn.MultiheadAttention):
    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x, x, x)[0] + 1


class OwnLayer(nn.TransformerEncoderLayer):
    def forward(self, src: Tensor, **masks: Any) -> Tensor:  # type: ignore[override]
        return super().forward(src, **masks) + 1


def hooked() -> nn.Module:
    module = attention()
    module.register_forward_hook(lambda *_: None)
    return module


@pytest.mark.parametrize(
    "build",
    [lambda: OwnForward(8, 2), lambda: OwnLayer(8, 2, 16), hooked],
    ids=["attention", "encoder layer", "hook"],
)
def test_what_may_have_a_forward_of_its_own_stays_as_it_is(build: Callable[[], Any]) -> None:
    module = build().eval()
    assert type(unpacked(module)) is type(module)
    assert not any(isinstance(part, Attention) for part in unpacked(module).modules())


def test_code_that_reads_the_packed_weight_finds_it() -> None:
    packed = attention()
    ours = unpacked(packed)
    assert torch.equal(ours.in_proj_weight, packed.in_proj_weight)  # type: ignore[arg-type]
    assert torch.equal(ours.in_proj_bias, packed.in_proj_bias)  # type: ignore[arg-type]


def test_tied_attention_stays_tied() -> None:
    first, second = attention(), attention()
    second.in_proj_weight, second.out_proj.weight = first.in_proj_weight, first.out_proj.weight
    ours = unpacked(nn.ModuleList([first, second]))
    assert ours[0].q_proj.weight is ours[1].q_proj.weight  # type: ignore[index]
    assert ours[0].out_proj.weight is ours[1].out_proj.weight  # type: ignore[index]
    assert ours[0].q_proj.bias is not ours[1].q_proj.bias  # type: ignore[index]


def test_one_module_in_two_places_stays_one() -> None:
    one = attention()
    ours = unpacked(nn.ModuleList([one, one]))
    assert ours[0] is ours[1]  # type: ignore[index]


class Sentences(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.encoder(x).mean(1))
        return out


@pytest.fixture(scope="module")
def sentences() -> Original:
    torch.manual_seed(0)
    data = Dataset("noise", "train", torch.randn(60, 5, 8), torch.arange(60) % 3, tuple("abc"))
    return Original(Sentences().eval(), (5, 8), calibration=data)


def test_all_projections_of_an_encoder_are_layers(sentences: Original) -> None:
    names = [name for name in sentences.layers if name.startswith("encoder.layers.1")]
    parts = ("q_proj", "k_proj", "v_proj", "out_proj")
    attention = [f"encoder.layers.1.self_attn.{part}" for part in parts]
    assert names == [*attention, "encoder.layers.1.linear1", "encoder.layers.1.linear2"]
    assert {layer.kind for layer in sentences.layers.values()} == {"linear"}


@pytest.mark.parametrize(
    "recipe",
    [
        (QuantizeGPTQ(bits=4, samples=60),),
        (PruneWanda(sparsity=0.5, samples=60), CorrectBias(samples=60)),
        (QuantizeActivations(samples=60),),
        (Factorize(rank=3),),
        (Factorize(rank=3, whiten=True, samples=60),),
    ],
    ids=["GPTQ", "Wanda and bias", "rounded inputs", "factors", "whitened factors"],
)
def test_methods_that_look_at_inputs_reach_attention(
    sentences: Original, recipe: tuple[Any, ...]
) -> None:
    made = compress(sentences, recipe)
    changed = [name for name, stored in made.layers.items() if len(stored.key) > 1]
    assert changed == list(sentences.layers)
    assert made.module(torch.randn(2, 5, 8)).isfinite().all()
