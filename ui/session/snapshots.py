"""Pinned states: taking one, the list of them in the sidebar, and their points on the plane.

The browser keeps the session's token in a cookie, so that a reload finds them; the address, which
people share, does not carry it.
"""

from pathlib import Path
from typing import Any

import streamlit as st

from compress_core.measurement.scores import Score
from compress_core.recipe import Recipe, format_recipe, parse_recipe
from compress_core.views.summaries import kept_histogram
from ui import words
from ui.icon_button import icon_button
from ui.language import Later, _
from ui.session import caches, fragments, measuring, models, recipe_field, state, values
from ui.session.snapshot_store import MAX_AGE_S, MAX_NAME, Snapshot, named
from ui.session.state import Current

COOKIE = "compress_explorer_snapshots"
KEY_SCRIPT = Path(__file__).parent / "snapshots_key.js"
THUMBNAIL_BINS = 36


def ensure() -> None:
    """Take the token from the browser's cookie, once, and let the browser keep it."""
    if "snapshots_token" not in st.session_state:
        token = key_of_browser()
        known = caches.snapshot_store().snapshots(token) is not None
        st.session_state.snapshots_token = token if known else ""
        if token and not known:
            st.session_state.notices.append(Later(_lost))


def _lost() -> str:
    return _("The snapshots of this browser are no longer on the server; the recipe is.")


def key_of_browser() -> str:
    """The token that the browser kept, or nothing."""
    found = st.context.cookies.get(COOKIE)
    return found if isinstance(found, str) else ""  # AppTest has a stand-in for the browser


def let_browser_keep_key() -> None:
    """Draw this where the sidebar is drawn: a cookie needs the browser's help."""
    component = st.components.v2.component("snapshots_key", js=KEY_SCRIPT.read_text())
    key = st.session_state.snapshots_token
    component(key="snapshots_key", data={"name": COOKIE, "key": key, "age_s": MAX_AGE_S}, height=0)


def pinned() -> tuple[Snapshot, ...]:
    """Those of the session, oldest first; one that nobody has named is called by its recipe."""
    found = caches.snapshot_store().snapshots(st.session_state.snapshots_token) or ()
    return tuple(map(_called, found))


def _called(snapshot: Snapshot) -> Snapshot:
    if snapshot.name:
        return snapshot
    return named(snapshot, words.describe_recipe(parse_recipe(snapshot.recipe)))


def take(current: Current, name: str = "") -> Snapshot:
    """The present state, by a name of its own or by its recipe."""
    layers = current.compressed.layers.values()
    largest = max(layers, key=lambda stored: stored.layer.weight.numel())
    return Snapshot(
        name=name,
        model=current.model,
        recipe=format_recipe(current.recipe),
        stored_bytes=current.size.stored_bytes,
        histogram=tuple(kept_histogram(largest, THUMBNAIL_BINS).tolist()),
    )


def recipe_of(snapshot: Snapshot) -> Recipe:
    """Its steps that fit the model."""
    return state.split_fitting(snapshot.model, parse_recipe(snapshot.recipe)).recipe


def score(snapshot: Snapshot) -> Score | None:
    """On the images on which it is measured by now; None without any."""
    model, recipe = snapshot.model, recipe_of(snapshot)
    n = 0 if measuring.data_problem(model) else measuring.pinned_size(model, recipe)
    return measuring.score(model, recipe, n)[0] if n else None


def pin_button() -> None:
    st.button(
        _("Pin"),
        key="pin",
        icon=":material/push_pin:",
        help=_(
            "Keep the present model and recipe, to come back to it and to compare. This browser "
            "holds the key to your snapshots in a cookie, for a week; the address that you share "
            "has none."
        ),
        on_click=_pin,
    )


def _pin() -> None:
    pin(state.current())


def pin(*states: Current) -> None:
    """Keep some states, each called by its recipe; the last act of a callback."""
    token = st.session_state.snapshots_token
    try:
        for kept in states:
            token = caches.snapshot_store().pin(token, take(kept))
    except ValueError as error:
        st.toast(_("Not pinned: {error}.", error=error), icon=":material/error:")
    else:
        st.session_state.snapshots_token = token
        fragments.refresh_snapshots()


def menu() -> None:
    """The snapshots behind one button, the latest first; nothing until something is pinned."""
    let_browser_keep_key()
    snapshots = pinned()
    if not snapshots:
        return
    label = _("Snapshots: {number}", number=len(snapshots))
    with st.popover(label, key="snapshots", icon=":material/collections_bookmark:"):
        for snapshot in reversed(snapshots):
            with st.container(gap="xsmall"):
                _entry(snapshot)


def _entry(snapshot: Snapshot) -> None:
    text, buttons = st.columns([5, 2], vertical_alignment="center", gap="small")
    with text:
        _name_field(snapshot)
    with buttons, st.container(horizontal=True, gap="xsmall", horizontal_alignment="right"):
        icon_button(
            _("Apply {name}", name=snapshot.name),
            "check",
            f"snapshot_apply_{snapshot.id}",
            type="tertiary",
            help=_("Make it the present model and recipe."),
            on_click=_apply,
            args=(snapshot,),
        )
        icon_button(
            _("Remove {name}", name=snapshot.name),
            "close",
            f"snapshot_remove_{snapshot.id}",
            type="tertiary",
            help=_("Remove this snapshot."),
            on_click=_remove,
            args=(snapshot,),
        )
    picture, caption = st.columns([2, 5], vertical_alignment="center", gap="small")
    alt = _("Kept weights of the largest layer")
    picture.image(thumbnail(snapshot.histogram, state.colors().kept), width=72, alt=alt)
    caption.caption(facts(snapshot))


def _name_field(snapshot: Snapshot) -> None:
    key = f"snapshot_name_{snapshot.id}"
    st.session_state[key] = snapshot.name
    st.text_input(
        _("Name"),
        key=key,
        label_visibility="collapsed",
        max_chars=MAX_NAME,
        on_change=_rename,
        args=(snapshot.id,),
    )


def _rename(snapshot_id: str) -> None:
    name = values.text(f"snapshot_name_{snapshot_id}")
    caches.snapshot_store().rename(st.session_state.snapshots_token, snapshot_id, name)
    fragments.refresh_snapshots()


def _apply(snapshot: Snapshot) -> None:
    models.add(snapshot.model)
    st.session_state.model = snapshot.model
    recipe_field.write_recipe_text(snapshot.recipe)
    st.rerun()


def _remove(snapshot: Snapshot) -> None:
    caches.snapshot_store().remove(st.session_state.snapshots_token, snapshot.id)
    fragments.refresh_snapshots()


def facts(snapshot: Snapshot) -> str:
    """Score, bytes and model in one line."""
    size = words.byte_size(snapshot.stored_bytes)
    return f"{words.score(score(snapshot))} · {size} · {snapshot.model}"


def thumbnail(counts: tuple[int, ...], color: str) -> str:
    """The counts as a picture of 72 by 24, its heights on a square-root scale."""
    top = max(counts) or 1
    bars = "".join(
        f'<rect x="{i}" y="{1 - (count / top) ** 0.5:.3f}" width="0.8" '
        f'height="{(count / top) ** 0.5:.3f}"/>'
        for i, count in enumerate(counts)
        if count
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="72" height="24" '
        f'viewBox="0 0 {len(counts)} 1" preserveAspectRatio="none" fill="{color}">{bars}</svg>'
    )


def rows(model: str) -> list[dict[str, Any]]:
    """The model's snapshots as rows of the plane, each with its `name`."""
    return [
        _row(snapshot, found)
        for snapshot in pinned()
        if snapshot.model == model and (found := score(snapshot))
    ]


def _row(snapshot: Snapshot, found: Score) -> dict[str, Any]:
    recipe = recipe_of(snapshot)
    size, n = caches.size(snapshot.model, recipe), found.n
    return {
        **found.as_dict(),
        "name": snapshot.name,
        "stored_bytes": snapshot.stored_bytes,
        "compression_ratio": size.compression_ratio,
        "macs": size.macs,
        **measuring.change(snapshot.model, (), recipe, n).bounds,
        "id": snapshot.recipe,
        "words": f"{words.describe_recipe(recipe)} (n = {n:,})",
    }
