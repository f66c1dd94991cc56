"""The command that the combine page gives along."""

import shlex
from types import SimpleNamespace
from typing import Any

import pytest

from compress_core.command_line.parser import build_parser
from compress_core.recipe import format_step, parse_recipe
from ui.combine.downloads import command


@pytest.mark.parametrize(
    ("recipe", "trains"),
    [("prune:sparsity=0.9", False), ("prune:sparsity=0.9;finetune:epochs=2;share", True)],
)
def test_the_command_makes_the_same_file_and_trains_only_what_trains(
    recipe: str, trains: bool
) -> None:
    steps = parse_recipe(recipe)
    current: Any = SimpleNamespace(model="digits-mlp", recipe=steps)
    words = shlex.split(command(current).replace("\\\n", " "))
    options = build_parser().parse_args(words[3:])
    assert options.step == [format_step(step) for step in steps]
    assert (options.model, options.train) == ("digits-mlp", trains)
