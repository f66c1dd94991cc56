"""Attention over heads, and rotary positions."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    single,
)
from compress_core.models.importing.onnx.operators.types import TORCH_TYPES

SCALED, CAPPED, MASKED, SOFTENED = range(4)  # what the node's fourth output is


@dataclass(frozen=True)
class Settings:
    scale: float | None
    causal: bool
    heads: int  # of the queries; 0 where the inputs have an axis of heads
    kv_heads: int
    softcap: float
    precision: torch.dtype | None  # of the softmax
    fourth: int


def attention(
    q: Tensor, k: Tensor, v: Tensor, *more: Tensor | None, settings: Settings
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The attended values, all keys, all values, and the scores in one of four states.

    q is (B, heads, n, d) or (B, n, heads · d), k and v alike with m positions. What may be left
    out, in ONNX's order: the mask, earlier keys, earlier values, lengths without padding.
    """
    mask, past_k, past_v, lengths = (*more, *[None] * 4)[:4]
    flat = q.dim() == 3
    if flat:
        q = by_head(q, settings.heads)
        k, v = by_head(k, settings.kv_heads), by_head(v, settings.kv_heads)
    k = k if past_k is None else torch.cat([past_k, k], 2)
    v = v if past_v is None else torch.cat([past_v, v], 2)
    before = torch.tensor(0 if past_k is None else past_k.shape[2])
    bias = bias_of(q, k, mask, before, lengths, settings.causal)
    y, fourth = attend(q, k, v, bias, settings)
    if flat:
        y = y.transpose(1, 2).flatten(2)
    return y, k, v, fourth


def by_head(x: Tensor, heads: int) -> Tensor:
    """(B, n, heads · d) → (B, heads, n, d)."""
    return torch.unflatten(x, 2, (heads, -1)).transpose(1, 2)


def bias_of(
    q: Tensor,
    k: Tensor,
    mask: Tensor | None,
    before: Tensor,
    lengths: Tensor | None,
    causal: bool,
) -> Tensor:
    """What is added to the scores (…, n, m): −∞ where a query may not see a key."""
    n, m = q.shape[2], k.shape[2]
    allowed = torch.ones(n, m, dtype=torch.bool)
    key = torch.arange(m)
    if lengths is not None:
        lengths = lengths.reshape(-1, 1, 1, 1)
        allowed = allowed & (key < lengths)
        before = lengths - n
    if causal:
        allowed = allowed & (key <= torch.arange(n).unsqueeze(1) + before)
    bias = q.new_zeros(()) if mask is None else padded_mask(mask, m, q)
    return torch.where(allowed, bias, -torch.inf)


def padded_mask(mask: Tensor, keys: int, q: Tensor) -> Tensor:
    """The mask as numbers to add; keys behind its end are not seen."""
    if mask.dtype == torch.bool:
        mask = torch.where(mask, q.new_zeros(()), -torch.inf)
    return functional.pad(mask, (0, keys - mask.shape[-1]), value=-torch.inf)


def attend(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, settings: Settings
) -> tuple[Tensor, Tensor]:
    groups = q.shape[1] // k.shape[1]  # queries that share a head of keys and values
    k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    root = sqrt(1 / sqrt(q.shape[-1]) if settings.scale is None else settings.scale)
    scores = scaled = (q * root) @ (k * root).transpose(-1, -2)
    if settings.softcap > 0:
        scores = settings.softcap * torch.tanh(scores / settings.softcap)
    # A query that sees no key gets zeros; a softmax over −∞ alone would be NaN.
    blind = torch.isneginf(bias.amax(-1, keepdim=True))
    masked = scores + bias
    finite = scores + torch.where(blind, torch.zeros_like(bias), bias)
    shares = functional.softmax(finite.to(settings.precision or q.dtype), -1)
    shares = torch.where(blind, torch.zeros_like(shares), shares).to(q.dtype)
    return shares @ v, (scaled, scores, masked, shares)[settings.fourth]


def rotate(
    x: Tensor,
    cosines: Tensor,
    sines: Tensor,
    positions: Tensor | None = None,
    *,
    heads: int,
    rotated: int,
    interleaved: bool,
) -> Tensor:
    """Pairs of each head's first `rotated` numbers turned by the angle of their position.

    x is (B, heads, n, d) or (B, n, heads · d). Source: Su et al. 2021, arXiv 2104.09864, 3.4.
    """
    flat = x.dim() == 3
    split = by_head(x, heads) if flat else x
    if positions is not None:
        cosines, sines = cosines[positions], sines[positions]
    cosines, sines = cosines.unsqueeze(1), sines.unsqueeze(1)  # (B, 1, n, rotated / 2)
    count = rotated or split.shape[-1]
    turning, rest = split[..., :count], split[..., count:]
    first, second = (
        (turning[..., 0::2], turning[..., 1::2]) if interleaved else turning.chunk(2, -1)
    )
    pair = cosines * first - sines * second, sines * first + cosines * second
    turned = torch.stack(pair, -1).flatten(-2) if interleaved else torch.cat(pair, -1)
    result = torch.cat([turned, rest], -1)
    return result.transpose(1, 2).flatten(2) if flat else result


def _attention(read: Attributes) -> Operator | None:
    precision = read.integer("softmax_precision", 0)
    if precision and precision not in TORCH_TYPES:
        return None
    settings = Settings(
        scale=read.optional_number("scale"),
        causal=read.flag("is_causal"),
        heads=read.integer("q_num_heads", 0),
        kv_heads=read.integer("kv_num_heads", 0),
        softcap=read.number("softcap", 0.0),
        precision=TORCH_TYPES.get(precision),
        fourth=read.integer("qk_matmul_output_mode", 0),
    )
    return multiple(attention, settings=settings)


def _rotate(read: Attributes) -> Operator:
    heads, rotated = read.integer("num_heads", 0), read.integer("rotary_embedding_dim", 0)
    return single(rotate, heads=heads, rotated=rotated, interleaved=read.flag("interleaved"))


TABLE: dict[str, Builder] = {"Attention": _attention, "RotaryEmbedding": _rotate}
