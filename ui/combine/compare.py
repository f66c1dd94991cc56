"""Two states side by side: a snapshot against another, or against the present state."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from compress_core.measurement.report import Size
from compress_core.recipe import Recipe, parse_recipe
from ui import words
from ui.session import caches, measuring, snapshots, state, values
from ui.session.snapshot_store import Snapshot
from ui.session.state import Current

PRESENT = "present"


@dataclass(frozen=True)
class Side:
    """A snapshot with what is derived from its recipe."""

    snapshot: Snapshot
    recipe: Recipe
    size: Size


def show(current: Current) -> None:
    """Two pickers and the table; a line on how to get there while nothing is pinned."""
    st.markdown("**Two states side by side**")
    by_id = {snapshot.id: snapshot for snapshot in reversed(snapshots.pinned())}
    if not by_id:
        st.caption("Pin a state in the sidebar to compare the present one, or another, with it.")
        return
    by_id[PRESENT] = snapshots.take(current, "present")
    left, right = st.columns(2)
    with left:
        before = _choose("From", by_id, "compare_from", next(iter(by_id)))
    with right:
        after = _choose("To", by_id, "compare_to", PRESENT)
    table = compared(side(by_id[before]), side(by_id[after]))
    st.table(table, hide_index=True, border="horizontal", alt="Two states side by side")


def _choose(label: str, by_id: dict[str, Snapshot], key: str, default: str) -> str:
    choice = values.chosen(key, [default, *by_id])  # it may be removed meanwhile
    values.repair(key, choice)
    st.selectbox(
        label,
        list(by_id),
        key=key,
        format_func=lambda choice: by_id[choice].name,
        persist_state="session",
        help="A snapshot, or the present state.",
    )
    return choice


def side(snapshot: Snapshot) -> Side:
    recipe = state.split_fitting(snapshot.model, parse_recipe(snapshot.recipe)).recipe
    return Side(snapshot, recipe, caches.size(snapshot.model, recipe))


def compared(before: Side, after: Side) -> dict[str, list[Any]]:
    """Columns: the quantity, both sides, the difference."""
    a, b = before.size, after.size
    lines = [
        ("model", *(x.snapshot.model for x in (before, after)), ""),
        (
            metric_of(before, after),
            *(measured(x.snapshot) for x in (before, after)),
            score_change(before, after),
        ),
        (
            "stored bytes",
            *(f"{size.stored_bytes:,}" for size in (a, b)),
            words.change(a.stored_bytes, b.stored_bytes),
        ),
        (
            "ratio",
            *(words.ratio(size.compression_ratio) for size in (a, b)),
            words.signed(b.compression_ratio - a.compression_ratio, 2),
        ),
        (
            "sparsity",
            *(words.percent(size.sparsity) for size in (a, b)),
            words.signed(100 * (b.sparsity - a.sparsity), 1, " points"),
        ),
        ("MACs", *(words.count(size.macs) for size in (a, b)), words.change(a.macs, b.macs)),
        ("recipe", *(words.describe_recipe(x.recipe) for x in (before, after)), ""),
    ]
    names = [words.escape_markdown(x.snapshot.name) for x in (before, after)]
    titles = ("", f"From: {names[0]}", f"To: {names[1]}", "difference")
    return dict(zip(titles, map(list, zip(*lines, strict=True)), strict=True))


def metric_of(before: Side, after: Side) -> str:
    """What was measured, as the line's name; both where the sides differ."""
    scores = (before.snapshot.score, after.snapshot.score)
    names = dict.fromkeys(words.metric(score.metric) for score in scores if score)
    return ", ".join(names) or "score"


def measured(snapshot: Snapshot) -> str:
    images = f" (n = {snapshot.score.n:,})" if snapshot.score else ""
    return words.score(snapshot.score) + images


def score_change(before: Side, after: Side) -> str:
    """The paired change with its interval, where both saw the same images."""
    first, second = before.snapshot, after.snapshot
    if first.score is None or second.score is None or first.score.metric != second.score.metric:
        return "—"
    metric = first.score.metric
    if first.model != second.model:
        return f"{words.score_change(metric, second.score.value - first.score.value)}, unpaired"
    n = measuring.measured_size(first.model, before.recipe, after.recipe)
    found = measuring.change(first.model, before.recipe, after.recipe, n)
    low, high = (
        words.score_change(metric, bound) for bound in (found.difference_low, found.difference_high)
    )
    return f"{words.score_change(metric, found.difference)} ({low} … {high})"
