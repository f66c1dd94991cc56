"""Nobody reads a control from the session without a check, and each one tells the browser what we
put there until the browser has heard it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui.session.state import ROOT

FILES = sorted([*(ROOT / "ui").rglob("*.py"), *(ROOT / "pages").glob("*.py")])
OURS = {  # keys that no widget has: nobody but our own code writes them
    *("notices", "recipe_shown", "recipe_echoes", "recipe_written", "refreshes"),
    *("snapshots_token", "shows_harm", "score_text", "combine_wrote", "take_home_upload_error"),
}
WIDGETS = {
    *("selectbox", "number_input", "text_input", "text_area", "toggle", "checkbox", "radio"),
    *("segmented_control", "pills", "slider", "select_slider", "multiselect"),
}
ITS_OWN = {  # widgets that we never put a value into, or with every run
    "ui/learn/prediction.py": 3,
    "ui/session/snapshots.py": 1,
}


def reads(path: Path) -> Iterator[tuple[int, str]]:
    """Line and key of each bare read of the session: st.session_state.KEY or ["KEY"]."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Attribute | ast.Subscript):
            continue
        if not isinstance(node.ctx, ast.Load) or ast.unparse(node.value) != "st.session_state":
            continue
        name = node.attr if isinstance(node, ast.Attribute) else ast.unparse(node.slice)
        if name not in {"get", "setdefault", "pop"}:
            yield node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_controls_are_read_through_the_functions_that_check(path: Path) -> None:
    assert [(line, key) for line, key in reads(path) if key not in OURS] == []


def forgetful(path: Path) -> list[int]:
    """The lines of the widgets that tell the browser their value once. A browser that still loads
    the code of the widget, while the page is drawn a second time, never hears it; what it shows
    and sends instead would be taken for a person's wish."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            named = {keyword.arg for keyword in node.keywords}
            told = {"persist_state", "bind", None} & named  # None: **settings
            if node.func.attr in WIDGETS and ast.unparse(node.func.value) == "st" and not told:
                found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_widgets_tell_their_value_until_the_browser_has_heard_it(path: Path) -> None:
    allowed = ITS_OWN.get(str(path.relative_to(ROOT)), 0)
    assert len(forgetful(path)) == allowed, forgetful(path)
