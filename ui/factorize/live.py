"""Factorize: the singular values of a layer, or what one budget leaves of all."""

from typing import Any

import streamlit as st

from compress_core import factor_steps
from compress_core.measurement.report import LayerRow, Size
from compress_core.methods.low_rank import full_rank, worthwhile_rank
from ui import live_histogram
from ui.factorize import factors
from ui.factorize.callbacks import release_budget, release_rank
from ui.language import _
from ui.live_histogram.routes import publish
from ui.panels import small_plane
from ui.session import caches
from ui.session.state import Current

FAMILIES = {"channel": "factorize", "spatial": "spatial", "tucker": "tucker"}
SNAPS = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)  # budgets that a click sets


def show(current: Current, settings: factors.Choice) -> None:
    """One layer's singular values with its rank; or the whole model's budget and every layer."""
    if settings.whole:
        _budget(current, settings)
        return
    name = settings.layer
    found = factors.drawn(current, settings)
    stored = current.compressed.layers[name]
    shape, full = stored.layer.shape, full_rank(stored.layer.shape, found.form)
    steps = factors.network(current.recipe)
    before, after = (_row(size, name) for size in (caches.size(current.model, steps), current.size))
    live_histogram.show(
        "factorize",
        {
            "profiles": publish(
                factors.rank_blob(current.model, steps, name, found.form, settings.samples)
            ),
            "form": found.form,
            "aware": settings.samples is not None,
            "rank": min(full, stored.ranks[-1]) if stored.ranks else full,
            "inner": stored.ranks[0] if stored.ranks else 0,
            "energy": factors.energy_kept(current, name),
            "weights": after.parameters,
            "macs": after.macs,
            "dense_weights": before.parameters,
            "dense_macs": before.macs,
            "break_even": worthwhile_rank(shape, found.form),
            "bytes": current.size.stored_bytes,
            "all_macs": current.size.macs,
            "layers": _rows(current),
            "plane": small_plane.data(current, FAMILIES[found.form], "kept"),
        },
        on_release=release_rank,
    )


def _row(size: Size, layer: str) -> LayerRow:
    return next(row for row in size.layers if row.name == layer)


def _budget(current: Current, settings: factors.Choice) -> None:
    steps, moving = factors.network(current.recipe), tuple(factors.moving(current))
    with st.spinner(_("Spreading budgets over the layers…")):
        blob = factors.budget_blob(current.model, steps, settings.form, settings.samples, moving)
    live_histogram.show(
        "budget",
        {
            "profiles": publish(blob),
            "constants": {"snaps": SNAPS},
            "budget": factors.share_kept(current),
            "energy": factors.mean_energy(current),
            "bytes": current.size.stored_bytes,
            "layers": _rows(current),
            "plane": small_plane.data(current, FAMILIES[settings.form], "kept"),
        },
        on_release=release_budget,
    )


def _rows(current: Current) -> dict[str, dict[str, Any]]:
    """Rank, weights and bytes of each layer that can be factorized."""
    layers = current.compressed.base.layers
    return {
        name: {
            "rank": current.compressed.layers[name].ranks[-1:],
            "weights": _row(current.size, name).parameters,
            "dense_weights": layers[name].weight.numel(),
            "bytes": _row(current.size, name).bytes,
        }
        for name in factor_steps.able(layers)
    }
