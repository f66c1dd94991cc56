"""--model in place of MODEL: the model becomes known by its name, to the workers of jobs, too."""

import argparse

from compress_core.sources import model_names
from compress_core.trusted import model_of


def choose_model(options: argparse.Namespace) -> None:
    """Put the name of the model into `options.model` where --model names one.

    A file that is measured stays there: --model is then its network (see `name_of`).
    Raises ValueError where a command that takes a model has none, or two.
    """
    if not hasattr(options, "own_model"):  # another command
        return
    own = model_of(options)
    options.own_name = None if own is None else own.name
    if own is not None:
        own.announce()
    if options.model is None:
        if own is None:
            raise ValueError(
                f"name a model: one of {', '.join(model_names())}, or your own with "
                "--model package.module:factory"
            )
        options.model = own.name
    elif own is not None and options.model in model_names():
        raise ValueError(f"{options.model} and --model {own.model} are two models; name one")


def name_of(options: argparse.Namespace) -> str | None:
    """The name of the model that --model names; None where it names none."""
    found: str | None = options.own_name
    return found
