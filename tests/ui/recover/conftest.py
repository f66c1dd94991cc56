"""Trainings of a second: results and jobs in folders of their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compress_core import load_model
from compress_core.recipe import parse_recipe
from compress_core.training.recovering import train_steps

MODEL = "digits-mlp"


@pytest.fixture(scope="module", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folders of results and of jobs."""
    folder = tmp_path_factory.mktemp("recover")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPRESS_TRAINED_DIR", str(folder / "trained"))
        patch.setenv("COMPRESS_JOBS_DIR", str(folder / "jobs"))
        yield folder


@pytest.fixture(scope="module")
def train() -> Callable[[str], None]:
    """Train what a recipe's text says, on digits-mlp, in this process.

    The network remembers its results, so each folder of results begins with one that has none.
    """
    original = load_model(MODEL)

    def run(text: str) -> None:
        train_steps(original, parse_recipe(text))

    return run
