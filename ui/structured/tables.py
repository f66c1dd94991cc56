"""What the page of channels shows, kept by model and recipe."""

from collections.abc import Sequence
from typing import Any

from compress_core import Recipe
from compress_core.applying.structured import locked_layers
from compress_core.methods.structured import PruneStructured
from compress_core.views.channels import ChannelGroup, channel_groups
from ui import words
from ui.language import N_, _
from ui.session import caches

FOLLOWING = N_("Following the channels through the network…")  # while one waits for these
COUNTS = (N_("MACs before"), N_("MACs after"), N_("bytes before"), N_("bytes after"))


@caches.keep(max_entries=64, show_spinner=False)
def groups(model: str, recipe: Recipe, usual: PruneStructured) -> tuple[ChannelGroup, ...]:
    """Raises ValueError where the importance that `usual` asks for cannot be measured."""
    return channel_groups(caches.original(model), recipe, usual)


@caches.keep(max_entries=16, show_spinner=False)
def reasons(model: str) -> dict[str, list[str]]:
    """Why layers keep all of their output channels, in the core's English, and which do."""
    found: dict[str, list[str]] = {}
    for name, reason in locked_layers(caches.original(model)).items():
        found.setdefault(reason, []).append(name)
    return found


def importance_table(groups: Sequence[ChannelGroup]) -> dict[str, list[Any]]:
    """A row a channel."""
    rows = [
        (" + ".join(group.layers), i, value, relative, bool(kept))
        for group in groups
        for i, (value, relative, kept) in enumerate(
            zip(group.importances, group.relative, group.kept, strict=True)
        )
    ]
    names = (_("layers"), _("channel"), _("importance"), _("importance / mean"), _("kept"))
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def layer_table(model: str, recipe: Recipe) -> dict[str, list[Any]]:
    """A row a layer: channels, MACs and bytes before and after; the last row sums them."""
    sizes = [caches.size(model, steps) for steps in ((), recipe)]
    before, after = ([(row.macs, row.bytes) for row in size.layers] for size in sizes)
    totals = [[sum(column) for column in zip(*rows, strict=True)] for rows in (before, after)]
    (macs, stored), (macs_after, stored_after) = (
        zip(*rows, total, strict=True) for rows, total in zip((before, after), totals, strict=True)
    )
    counts = map(list, (macs, macs_after, stored, stored_after))
    layers = sizes[1].layers
    return {
        _("layer"): [*(row.name for row in layers), _("all layers")],
        _("output channels"): [*(f"{r.original_shape[0]} → {r.shape[0]}" for r in layers), ""],
        _("weight after"): [*(words.shape(row.shape) for row in layers), ""],
        **dict(zip(map(_, COUNTS), counts, strict=True)),
    }
