"""Layers that a step leaves out: how many, which, and why, in words."""

from compress_core.compressed import Skipped
from compress_core.methods.pruning import PruneTaylor
from ui.panels.skipped import SHOWN, listed, title


def left_out(*names: str) -> list[Skipped]:
    return [Skipped(PruneTaylor(0.5), name, "has no scores") for name in names]


def test_one_layer_is_no_layers() -> None:
    assert (title(1), title(3)) == ("1 layer left out", "3 layers left out")


def test_each_layer_has_a_line_with_its_reason() -> None:
    assert listed(left_out("fc1", "fc2")) == "- **fc1** has no scores.\n- **fc2** has no scores."


def test_the_signs_of_a_name_are_no_markdown() -> None:
    assert listed(left_out("a*b")) == r"- **a\*b** has no scores."


def test_of_very_many_layers_the_first_are_listed() -> None:
    lines = listed(left_out(*map(str, range(SHOWN + 5)))).splitlines()
    assert (len(lines), lines[-1]) == (SHOWN + 1, "- and 5 more")
