"""Who got hurt: the change of each class, and the test images whose answer flipped."""

from collections import Counter
from collections.abc import Sequence
from html import escape

import streamlit as st

from compress_core.data import Dataset
from compress_core.measurement.harm import ClassHarm, Flip, Outcome
from ui import figures, in_view, words
from ui.language import N_, _, n_
from ui.panels.chart import chart
from ui.panels.images import Tile, shows_images, tiles
from ui.session import fragments, measuring, state
from ui.session.state import Current

MOST_IMAGES = 12
ENDINGS: tuple[tuple[Outcome, str], ...] = (
    ("lost", N_("{n:,} became wrong")),
    ("gained", N_("{n:,} right")),
    ("still_wrong", N_("{n:,} wrong in another way")),
)


@st.fragment(key=fragments.HARM)
def show() -> None:
    """The panel, or one sentence where nobody got hurt."""
    if measuring.metric(state.chosen_model()) != "accuracy":
        return  # only classes can be hurt
    st.subheader(_("Who got hurt"), anchor=False)
    in_view.lazily(fragments.HARM, _panel)


def _panel() -> None:
    current = state.current()
    if not current.recipe:
        st.caption(_("Nobody yet: the recipe is empty, so every answer is that of the original."))
    elif measuring.data_problem(current.model):
        st.caption(_("The test images are not on this machine; *Get them*, above, tells how."))
    else:
        _show(current)


def _show(current: Current) -> None:
    model, recipe = current.model, current.recipe
    n = measuring.telling_size(model, recipe)
    if not n:
        st.caption(measuring.why_none(model, recipe))
        return
    rows, flips = measuring.harm(model, recipe, n)
    data = measuring.test_images(model, n)
    shown = flips[:MOST_IMAGES] if shows_images(data) else ()
    tiles([_tile(flip, data) for flip in shown], sentence(flips, n))
    if flips:
        _class_chart(rows)


def sentence(flips: Sequence[Flip], n: int) -> str:
    """How many of n images changed their answer, and to what; HTML."""
    if not flips:
        return _("Nobody: each of {n:,} images keeps its answer.", n=n)
    counts = Counter(flip.outcome for flip in flips)
    parts = [_(ending, n=counts[kind]) for kind, ending in ENDINGS if counts[kind]]
    told = n_(
        "<b>{n:,} image</b> of {images:,} changed their answer: {parts}.",
        "<b>{n:,} images</b> of {images:,} changed their answer: {parts}.",
        len(flips),
        images=n,
        parts=_(", ").join(parts),
    )
    if len(flips) <= MOST_IMAGES:
        return told
    return _("{told} {most} of them, the newly wrong first:", told=told, most=MOST_IMAGES)


def _class_chart(rows: Sequence[ClassHarm]) -> None:
    names = [words.class_name(row.name) for row in rows]
    changes = [100 * row.change.difference for row in rows]
    intervals = [
        (100 * row.change.difference_low, 100 * row.change.difference_high) for row in rows
    ]
    chart(
        figures.change_by_class(names, changes, intervals, state.colors()),
        "harm_classes",
        _("Change of each class, most damaged first"),
        {
            _("class"): names,
            _("images"): [row.n for row in rows],
            _("before"): [words.percent(row.accuracy_before) for row in rows],
            _("after"): [words.percent(row.accuracy_after) for row in rows],
            _("change, points"): changes,
            _("from"): [low for low, _high in intervals],
            _("to"): [high for _low, high in intervals],
        },
    )
    st.caption(
        _(
            "Share of right answers, :orange[lost] or :blue[gained]; whiskers: the 95 % interval "
            "of the paired change. One that crosses 0 may be chance."
        )
    )


def _tile(flip: Flip, data: Dataset) -> Tile:
    true, before, after = (
        words.class_name(data.class_names[c]) for c in (flip.true, flip.before, flip.after)
    )
    tone = "better" if flip.outcome == "gained" else "worse"
    sure, now = (words.percent(c, 0) for c in (flip.confidence_before, flip.confidence_after))
    answers = f'{escape(before)} → <b class="{tone}">{escape(after)}</b>'
    return Tile(
        data.images[flip.index],
        f"<b>{escape(true)}</b>: {answers}<br>{sure} → {now}",
        _(
            "{true}, taken for {before} before ({sure}) and for {after} after ({now})",
            true=true,
            before=before,
            sure=sure,
            after=after,
            now=now,
        ),
    )
