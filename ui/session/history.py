"""Undo and redo over the recipe: every text that the recipe's field has held, in a line."""

from dataclasses import dataclass, field

import streamlit as st

from ui.icon_button import icon_button
from ui.language import _
from ui.session import recipe_field

LIMIT = 100  # texts that can be undone


@dataclass
class History:
    """The texts before the present one, and those that undo has left behind, latest last."""

    present: str
    past: list[str] = field(default_factory=list)
    future: list[str] = field(default_factory=list)

    def record(self, text: str) -> None:
        """Note a change, however it came about; after it there is nothing to redo."""
        if text == self.present:
            return
        self.past = [*self.past, self.present][-LIMIT:]
        self.present = text
        self.future.clear()

    def undo(self) -> str:
        """One text back; the present one where there is none."""
        if self.past:
            self.future.append(self.present)
            self.present = self.past.pop()
        return self.present

    def redo(self) -> str:
        if self.future:
            self.past.append(self.present)
            self.present = self.future.pop()
        return self.present


def record() -> History:
    """The session's history up to the recipe of this run."""
    recipe_field.settle_recipe_text()
    text: str = st.session_state.recipe_written
    history: History = st.session_state.setdefault("history", History(text))
    history.record(text)
    return history


def buttons() -> None:
    """Undo and redo, as far as they go. Draw them after the recipe's text field: the browser's
    back and forward change the recipe only there."""
    history = record()
    icon_button(
        _("Undo"),
        "undo",
        "undo",
        help=_undo_help(history),
        disabled=not history.past,
        on_click=_undo,
    )
    icon_button(
        _("Redo"),
        "redo",
        "redo",
        help=_redo_help(history),
        disabled=not history.future,
        on_click=_redo,
    )


def _undo_help(history: History) -> str:
    if not history.past:
        return _("Undo")
    return _("Undo: back to {recipe}", recipe=history.past[-1] or _("no steps"))


def _redo_help(history: History) -> str:
    if not history.future:
        return _("Redo")
    return _("Redo: {recipe}", recipe=history.future[-1] or _("no steps"))


def _undo() -> None:
    recipe_field.set_recipe_text(record().undo())


def _redo() -> None:
    recipe_field.set_recipe_text(record().redo())
