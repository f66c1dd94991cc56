"""Somebody's own Python, named on the command line: package.module:name."""

import importlib
import random
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

SEED = 0
HOW = "name it as package.module:function, as in nets.small:build"


def is_code(text: str) -> bool:
    """Whether a text names code; a Windows drive, C:/…, does not."""
    module, _, name = text.partition(":")
    return name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def call_code(text: str, folder: Path) -> Any:
    """What the function called `text` gives out. Modules are looked for in `folder` first, as
    `python -m` does.

    Raises ValueError where the module or the name is not there, is not callable, or raises: with
    its own message, the file and the line.
    """
    found = _find(text, folder)
    try:
        with repeatable():
            return found()
    except Exception as error:  # whatever somebody's code raises
        raise ValueError(_raised(f"{text} raised", error, folder)) from error


@contextmanager
def repeatable() -> Iterator[None]:
    """Whatever draws random numbers draws the same in every process: weights that no file fills,
    and rows that a loader shuffles, must be those of the worker that trains, too."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        np.random.seed(SEED)  # noqa: NPY002  # somebody else's code draws from it
        random.seed(SEED)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


def _find(text: str, folder: Path) -> Callable[[], Any]:
    if not is_code(text):
        raise ValueError(f"{text!r} names no function; {HOW}")
    module, _, name = text.partition(":")
    found = getattr(_import(module, folder), name, None)
    if found is None:
        raise ValueError(f"the module {module} has no {name!r}; {HOW}")
    if not callable(found):
        raise ValueError(
            f"{text} is a {type(found).__name__}, which cannot be called; wrap it in a function "
            "that returns it"
        )
    called: Callable[[], Any] = found
    return called


def _import(module: str, folder: Path) -> Any:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(module)
    except Exception as error:  # a module runs code when it is imported
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module}.".startswith(f"{missing}."):
            raise ValueError(
                f"there is no module {missing!r} in {folder} nor among the installed ones; "
                "start from the folder that holds it, or install it"
            ) from error
        raise ValueError(_raised(f"importing {module} raised", error, folder)) from error


def _raised(what: str, error: Exception, folder: Path) -> str:
    """Where it broke: the last line that is somebody's own, else the last one."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(folder))]
    place = (own or frames)[-1]
    message = str(error).strip().splitlines() or ["no message"]
    if isinstance(error, SyntaxError) and error.filename:
        return f"{what} {type(error).__name__}: {error.msg} ({error.filename}:{error.lineno})"
    return f"{what} {type(error).__name__}: {message[0]} ({place.filename}:{place.lineno})"
