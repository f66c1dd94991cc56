"""A challenge: what is on the page, measured, against what is asked for."""

import streamlit as st

from compress_core import Recipe
from ui import wake_up, words
from ui.core_sentences import of_core
from ui.language import _
from ui.learn import progress
from ui.learn.answers.asked import NotYet
from ui.learn.answers.scores import lost_points, whole_test_set
from ui.learn.lesson import Challenge
from ui.learn.place import Place
from ui.session import caches, measuring, state

Verdict = list[tuple[bool, str]]  # each condition: whether it is met, and the measured number


def show(found: Place) -> None:
    """The conditions with a mark each, for what is on the page now."""
    assert isinstance(found.item, Challenge)
    current = state.current()
    if current.model != found.item.model:
        st.caption(_("It is about {model}: choose this model again.", model=found.item.model))
        return
    try:
        verdict = judge(found.item, current.recipe)
    except NotYet as waiting:
        st.caption(f":material/hourglass_empty: {waiting}")
        wake_up.show_after("lesson_wake_up", waiting.after_s)
        return
    except ValueError as error:
        reason = words.escape_markdown(words.clip(of_core(error)))
        st.warning(_("It cannot be measured: {reason}", reason=reason))
        return
    st.markdown(" · ".join(f"{_mark(met)} {text}" for met, text in verdict))
    if all(met for met, _text in verdict):
        st.markdown(_("**Solved**, measured on the whole test set."))
        progress.note(found.key)


def _mark(met: bool) -> str:
    return ":green[:material/check_circle:]" if met else ":orange[:material/cancel:]"


def judge(challenge: Challenge, recipe: Recipe) -> Verdict:
    """Each condition by the measured numbers of a recipe. Raises NotYet while the test set is not
    measured, ValueError where there is none."""
    n = whole_test_set(challenge.model, recipe)
    size = caches.size(challenge.model, recipe)
    lost = lost_points(measuring.change(challenge.model, (), recipe, n))
    verdict = [
        (
            lost <= challenge.most_points + 1e-9,  # 3 images of 600 are 0.5 points
            _(
                "{lost:.2f} points lost, at most {most:g}",
                lost=lost,
                most=challenge.most_points,
            ),
        )
    ]
    if challenge.most_bytes is not None:
        text = _(
            "{size}, under {most}",
            size=words.byte_size(size.stored_bytes),
            most=words.byte_size(challenge.most_bytes),
        )
        verdict.append((size.stored_bytes < challenge.most_bytes, text))
    if challenge.most_macs is not None:
        left = size.macs / size.original_macs
        text = _(
            "{left} of the MACs, at most {most}",
            left=words.percent(left),
            most=words.percent(challenge.most_macs),
        )
        verdict.append((left <= challenge.most_macs, text))
    return verdict
