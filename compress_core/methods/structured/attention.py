"""Attention heads: in a packed `qkv` projection they are removed whole.

A head is its rows of q, k and v and the columns of `proj` that read it. Its width stays, and with
it the scale 1/√head_width, so that the other heads attend as before.
"""

from collections.abc import Iterator
from typing import Protocol, TypeGuard

from torch import nn


class PackedAttention(Protocol):
    """As `models.networks.Attention`: qkv (3·heads·head_width, width), laid out q, k, v."""

    heads: int
    head_width: int
    qkv: nn.Linear
    proj: nn.Linear


def is_packed_attention(module: nn.Module) -> TypeGuard[PackedAttention]:
    """Whether a module has these attributes; it may be of a class of other people."""
    parts = [getattr(module, name, None) for name in ("heads", "head_width", "qkv", "proj")]
    heads, head_width, qkv, proj = parts
    if not (isinstance(qkv, nn.Linear) and isinstance(proj, nn.Linear)):
        return False
    if not (isinstance(heads, int) and isinstance(head_width, int)):
        return False
    inner = heads * head_width
    return qkv.out_features == 3 * inner and proj.in_features == inner


def packed_attentions(module: nn.Module) -> Iterator[tuple[str, PackedAttention]]:
    """The attention modules inside of a network whose heads can be removed, by name."""
    for name, part in module.named_modules():
        if name and is_packed_attention(part):
            yield name, part


def head_rows(attention: PackedAttention, head: int) -> tuple[int, ...]:
    """The output channels of `qkv` that make a head: head_width each of q, of k and of v."""
    inner = attention.heads * attention.head_width
    rows = head_columns(attention, head)  # the same in q, in k and in v
    return tuple(part * inner + row for part in range(3) for row in rows)


def head_columns(attention: PackedAttention, head: int) -> tuple[int, ...]:
    """The input channels of `proj` that read a head."""
    start = head * attention.head_width
    return tuple(range(start, start + attention.head_width))


def cut_heads(attention: nn.Module, removed: tuple[int, ...]) -> None:
    """Tell the module, which is written to, that rows and columns of these heads will go."""
    assert is_packed_attention(attention)
    attention.heads -= len(removed)
