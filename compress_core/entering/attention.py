"""Attention and encoders made of plain linear layers, in place of torch's packed ones.

torch.nn.MultiheadAttention keeps the projections of query, key and value in one parameter and
multiplies with it past any layer: nothing that acts on a layer reaches it. Here each projection is
an nn.Linear that is called. Arguments, masks and outputs are those of torch, in evaluation mode.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """What nn.MultiheadAttention computes, with its projections as layers.

    `bias_k` and `bias_v` (1, 1, width) are a further key and value, `add_zero_attn` adds zeros.
    """

    def __init__(
        self,
        projections: tuple[nn.Linear, nn.Linear, nn.Linear, nn.Linear],
        *,
        heads: int,
        batch_first: bool,
        bias_kv: tuple[Tensor | None, Tensor | None] = (None, None),
        add_zero_attn: bool = False,
    ) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = projections
        self.bias_k, self.bias_v = bias_kv
        self.add_zero_attn = add_zero_attn
        self.batch_first = batch_first
        self.num_heads = heads
        self.embed_dim = self.q_proj.out_features
        self.head_dim = self.embed_dim // heads
        self.kdim, self.vdim = self.k_proj.in_features, self.v_proj.in_features

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The mixed values, and the weights of attention if they are needed, as in torch.

        `is_causal` is no more than a hint there: that `attn_mask` is the causal one.
        """
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        batched = query.dim() == 3
        query, key, value = (self._batch_first(x, batched) for x in (query, key, value))
        if key_padding_mask is not None and not batched:
            key_padding_mask = key_padding_mask.unsqueeze(0)
        q = self._heads(self.q_proj(query))  # (B, heads, L, head_dim)
        k = self._heads(self._more(self.k_proj(key), self.bias_k))  # (B, heads, S, head_dim)
        v = self._heads(self._more(self.v_proj(value), self.bias_v))
        mask = self._mask(attn_mask, key_padding_mask, q, added=k.shape[2] - key.shape[1])
        mixed, weights = attend(q, k, v, mask, need_weights)
        out = self.out_proj(mixed.transpose(1, 2).flatten(2))  # (B, L, width)
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return out.squeeze(0), None if weights is None else weights.squeeze(0)
        if not self.batch_first:  # contiguous as from torch: what follows may view it
            out = out.transpose(0, 1).contiguous()
        return out, weights

    def _batch_first(self, x: Tensor, batched: bool) -> Tensor:
        """(B, L, width) of an input that may have its batch second, or none."""
        if not batched:
            return x.unsqueeze(0)
        return x if self.batch_first else x.transpose(0, 1)

    def _more(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Keys or values (B, S, width) with the further ones behind them."""
        if bias is not None:
            x = torch.cat([x, bias.expand(x.shape[0], 1, -1)], 1)
        if self.add_zero_attn:
            x = torch.cat([x, x.new_zeros(x.shape[0], 1, x.shape[2])], 1)
        return x

    def _heads(self, x: Tensor) -> Tensor:
        heads: Tensor = x.unflatten(-1, (self.num_heads, -1))
        return heads.transpose(1, 2)

    def _mask(
        self, attn_mask: Tensor | None, padding: Tensor | None, q: Tensor, *, added: int
    ) -> Tensor | None:
        """What is added to the scores (B, heads, L, S): -inf where nothing may be seen."""
        mask = additive(attn_mask, q.dtype)
        if mask is not None:
            if mask.dim() == 3:  # (B · heads, L, S)
                mask = mask.unflatten(0, (-1, self.num_heads))
            mask = functional.pad(mask, (0, added))
        hidden = additive(padding, q.dtype)
        if hidden is None:
            return mask
        hidden = functional.pad(hidden, (0, added))[:, None, None]  # (B, 1, 1, S)
        return hidden if mask is None else mask + hidden

    # for code that reads the packed parameters of torch's module, as they are now
    @property
    def in_proj_weight(self) -> Tensor:
        return torch.cat([part.weight for part in (self.q_proj, self.k_proj, self.v_proj)])

    @property
    def in_proj_bias(self) -> Tensor | None:
        projections = self.q_proj, self.k_proj, self.v_proj
        biases = [bias for part in projections if (bias := part._parameters["bias"]) is not None]
        return torch.cat(tuple(biases)) if biases else None


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, need_weights: bool
) -> tuple[Tensor, Tensor | None]:
    """softmax(q kᵀ / √head_dim + mask) v, (B, heads, L, head_dim), and the softmax if needed."""
    if not need_weights:
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask), None
    scores = (q * math.sqrt(1 / q.shape[-1])) @ k.transpose(-2, -1)
    weights = (scores if mask is None else scores + mask).softmax(-1)
    return weights @ v, weights


def additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A mask that is added: -inf where a boolean one is True; one of numbers as it is."""
    if mask is None or mask.is_floating_point():
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill(mask, -math.inf)


class EncoderLayer(nn.Module):
    """What nn.TransformerEncoderLayer computes; it calls its layers, and has no fast path.

    The parts have torch's names, `attention` is an `Attention`.
    """

    def __init__(self, layer: nn.TransformerEncoderLayer, attention: nn.Module) -> None:
        super().__init__()
        self.self_attn = attention
        self.linear1, self.linear2 = layer.linear1, layer.linear2
        self.norm1, self.norm2 = layer.norm1, layer.norm2
        self.norm_first = layer.norm_first
        self.activation = layer.activation

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        masks = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask}
        masks = {name: additive(mask, src.dtype) for name, mask in masks.items()}
        if self.norm_first:
            x = src + self._attend(self.norm1(src), masks, is_causal)
            return x + self._feed(self.norm2(x))
        x = self.norm1(src + self._attend(src, masks, is_causal))
        out: Tensor = self.norm2(x + self._feed(x))
        return out

    def _attend(self, x: Tensor, masks: dict[str, Tensor | None], is_causal: bool) -> Tensor:
        mixed: Tensor
        mixed, _ = self.self_attn(x, x, x, need_weights=False, is_causal=is_causal, **masks)
        return mixed

    def _feed(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear2(self.activation(self.linear1(x)))
        return out


class Encoder(nn.Module):
    """What nn.TransformerEncoder computes without gradients.

    Without gradients torch may turn padding behind the tokens into zeros. zero_padding: whether it
    does so (torch's `use_nested_tensor`).
    """

    def __init__(
        self, layers: nn.ModuleList, norm: nn.Module | None, *, zero_padding: bool
    ) -> None:
        super().__init__()
        self.layers = layers
        self.norm = norm
        self.num_layers = len(layers)
        self.zero_padding = zero_padding

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,  # noqa: ARG002  # the mask itself says it
    ) -> Tensor:
        x = src
        for layer in self.layers:
            x = layer(x, src_mask=mask, src_key_padding_mask=src_key_padding_mask)
        if self._zeroes(src, mask, src_key_padding_mask):
            hidden = additive(src_key_padding_mask, src.dtype)
            assert hidden is not None
            x = x.masked_fill(hidden.bool()[..., None], 0.0)
        return x if self.norm is None else self.norm(x)

    def _zeroes(self, src: Tensor, mask: Tensor | None, padding: Tensor | None) -> bool:
        """Whether padding becomes zeros, decided as in torch: never while a graph is exported."""
        if not self.zero_padding or padding is None or mask is not None or src.dim() != 3:
            return False
        if torch.compiler.is_compiling():
            return False
        hidden: Any = additive(padding, src.dtype)
        return bool((hidden.bool().int().diff(dim=1) >= 0).all())  # tokens, then padding
