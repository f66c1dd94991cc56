"""Nobody reads a control from the session without a check: ui/session/values is there for that."""

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
