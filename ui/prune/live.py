"""Prune: the histogram of a layer with its threshold, and the sparsity of every layer."""

import math
from collections.abc import Hashable

import streamlit as st

from compress_core import DataError, Prune, Recipe
from compress_core.applying.prune import ScoreStep, is_scored, refuse_scores, scores_of
from compress_core.recipe import of_kinds, up_to, without_kinds
from compress_core.views.live_pruning import (
    BYTES_EVERY,
    MAGNITUDE,
    PruningProfile,
    kept_counts,
    measure_bytes,
    pruning_profile,
    score_profile,
)
from compress_core.views.summaries import PrunedLayer
from ui import live_histogram
from ui.language import _
from ui.live_histogram.routes import pack, publish
from ui.panels import small_plane
from ui.prune.callbacks import MOST, chosen_samples, release_pruning
from ui.prune.controls import SNAPS, Choice, moved_layers
from ui.prune.methods import METHODS, make_step, scope_of
from ui.session import caches, measuring
from ui.session.anytime import UNKNOWN, Errand, measurer
from ui.session.state import Current

# the measured curve that stands beside each method of the page
FAMILIES = {
    "magnitude": "prune",
    "random": "random_prune",
    "N:M": "n:m",
    "Taylor": "prune_taylor",
    "Wanda": "prune_wanda",
}


def show(current: Current, choice: Choice, cuts: dict[str, PrunedLayer]) -> None:
    """The histogram of a layer with its threshold, and the sparsity of every layer."""
    rows, own = {row.name: row for row in current.size.layers}, cuts[choice.layer]
    moves = moved_layers(current, choice.layer, choice.scope)
    counted = {name: rows[name].parameters for name in moves}
    fallen = sum(cuts[name].sparsity * n for name, n in counted.items())
    everything = sum(row.parameters for row in rows.values())
    pruned = sum(cuts[name].sparsity * row.parameters for name, row in rows.items()) / everything
    live_histogram.show(
        "prune",
        {
            "profiles": publish(_prune_blob(current, choice)),
            "constants": {
                "snaps": SNAPS,
                "most": round(MOST / 100, 6),
                "bytes_every": BYTES_EVERY,
                "bytes_of": _("whole file"),
            },
            "layer": choice.layer,
            "method": choice.method,
            "scope": _ranked_scope(choice),
            "by": "threshold" if choice.by_threshold else "sparsity",
            "sparsity": fallen / max(1, sum(counted.values())),
            "threshold": choice.threshold if choice.layer in moves else own.threshold,
            "kept": _kept(current, choice),
            "bytes": current.size.stored_bytes,
            "plane": small_plane.data(
                current,
                FAMILIES[choice.method],
                "pruned",
                place=lambda _recipe, row: row["sparsity"],
                at=pruned,
            ),
            "zeros_follow": math.isclose(pruned, current.size.sparsity, abs_tol=1e-9),
            "rest_bytes": current.size.rest_bytes + current.size.header_bytes,
            "layers": [
                {
                    "moves": name in moves,
                    "sparsity": cut.sparsity,
                    "energy": cut.energy_kept,
                    "bytes": rows[name].bytes,
                }
                for name, cut in cuts.items()
            ],
        },
        on_release=release_pruning,
    )


def _ranked_scope(choice: Choice) -> str:
    """What is ranked together, also in an exception: "global", "row", or a layer."""
    exception = choice.scope == "one" and choice.step
    return (exception and scope_of(exception) == "row" and "row") or choice.scope


def _kept(current: Current, choice: Choice) -> list[int] | None:
    """The histogram of what is left of the drawn layer; None where a threshold shows it."""
    winner = current.compressed.winners("prune").get(choice.layer)
    by_magnitude = winner is None or isinstance(winner, Prune)
    if choice.method == "magnitude" and by_magnitude:
        return None
    pruned = up_to(current.recipe, "prune")
    return kept_counts(caches.compressed(current.model, pruned).layers[choice.layer]).tolist()


def _prune_blob(current: Current, choice: Choice) -> bytes:
    others = without_kinds(current.recipe, ("prune",))
    if not METHODS[choice.method].is_scored:
        return pruning_blob(current.model, others, coded=_is_measured(current, others))
    samples = chosen_samples()
    seed = vars(choice.step).get("seed", 0) if choice.step else 0
    scope = "row" if _ranked_scope(choice) == "row" else "layer"
    ranked = make_step(choice.method, 0.0, scope=scope, samples=samples, seed=seed)
    assert is_scored(ranked)
    try:
        coded = _is_measured(current, others, ranked)
        with st.spinner(_("Measuring the scores on training images…")):
            return score_blob(current.model, others, ranked, coded=coded)
    except DataError:  # the step will be refused with the remedy
        return pruning_blob(current.model, others, coded=_is_measured(current, others))


def _is_measured(current: Current, others: Recipe, by: Prune | ScoreStep = MAGNITUDE) -> bool:
    """Whether the bytes of codes at some sparsities are measured; they are asked for, if not.

    It takes a second, and so is done when nobody waits for an accuracy. Until then the picture
    estimates them by the bits of a weight.
    """
    if not of_kinds(others, ("quantize", "share")):
        return False
    key = _measured_key(current.model, others, by)
    if measurer().result(key) is UNKNOWN:
        steps = measure_bytes(current.original, others, by)
        measuring.send_errand(Errand(key, steps))
        return False
    return True


def _measured(model: str, others: Recipe, by: Prune | ScoreStep) -> dict[str, list[float]]:
    found = measurer().result(_measured_key(model, others, by))
    return found if isinstance(found, dict) else {}


def _measured_key(model: str, others: Recipe, by: Prune | ScoreStep) -> Hashable:
    return "bytes", caches.original(model).digest, others, by


@caches.keep(max_entries=64, show_spinner=False)
def pruning_blob(model: str, others: Recipe, *, coded: bool) -> bytes:
    """Profiles of all layers under the steps that are not pruning, by magnitude; with the measured
    bytes of their codes, if they are `coded`."""
    layers = caches.compressed(model, up_to(others, "prune")).layers
    bits = _bits(model, others)
    measured = _measured(model, others, MAGNITUDE) if coded else {}
    return pack(
        [
            pruning_profile(stored, bits=bits[name], measured=measured.get(name))
            for name, stored in layers.items()
        ]
    )


@caches.keep(max_entries=64, show_spinner=False)
def score_blob(model: str, others: Recipe, ranked: ScoreStep, *, coded: bool) -> bytes:
    """The same by a score; by magnitude for layers without scores, which the step leaves out.

    Raises DataError where the training images cannot be read.
    """
    made, bits = caches.compressed(model, up_to(others, "prune")), _bits(model, others)
    measured = _measured(model, others, ranked) if coded else {}
    profiles: list[PruningProfile] = []
    for name, stored in made.layers.items():
        size, sizes = bits[name], measured.get(name)
        if refuse_scores(ranked, name, made.network):
            profiles.append(pruning_profile(stored, bits=size, measured=sizes))
            continue
        scores, by_row = scores_of(ranked, name, made.base).weight, ranked.scope == "row"
        profiles.append(score_profile(stored, scores, by_row=by_row, bits=size, measured=sizes))
    return pack(profiles)


def _bits(model: str, others: Recipe) -> dict[str, int]:
    """Nominal bits of each layer's weights."""
    return {name: stored.bits for name, stored in caches.compressed(model, others).layers.items()}
