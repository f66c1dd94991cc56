"""The options that name a model of one's own: `streamlit run app.py -- --model …`."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from compress_core.own_data import NORMALIZATIONS
from compress_core.tasks import TASK_KINDS
from compress_core.trusted.model import TrustedModel

# Each option that needs --model, and the field of TrustedModel that it fills
FIELDS = ("weights", "data", "input_shape", "task", "output", "normalization")


@dataclass(frozen=True)
class AppOptions:
    """What the app was started with: a model that is trusted, or weights without a network."""

    model: TrustedModel | None = None
    weights_only: Path | None = None


class _Parser(argparse.ArgumentParser):
    """argparse whose errors are sentences that the caller shows."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message}; see streamlit run app.py -- --help")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """--model and what belongs to it; `model_of` reads them."""
    group = parser.add_argument_group("a model of your own")
    group.add_argument(
        "--model",
        dest="own_model",
        metavar="M",
        help="package.module:factory, net.onnx, a Hugging Face folder, or a reference network's "
        "name together with --weights",
    )
    group.add_argument(
        "--weights", type=Path, metavar="F", help="safetensors, or a state dict (.pt)"
    )
    group.add_argument(
        "--data",
        metavar="D",
        help="package.module:loader, or .npz, .npy, .csv, a folder or .zip of images by class; "
        "without it agreement is measured on generated inputs",
    )
    group.add_argument("--input-shape", metavar="S", help="such as 3,32,32 or 16:int64")
    group.add_argument("--task", choices=TASK_KINDS, help="default: by outputs and labels")
    group.add_argument("--output", metavar="O", help="the output that counts: a name or a place")
    group.add_argument(
        "--normalization",
        metavar="N",
        help=f"how pixels of files were normalised in training: {', '.join(NORMALIZATIONS)}, or a "
        "number to divide them by (default: 0..1)",
    )


def model_of(options: argparse.Namespace) -> TrustedModel | None:
    """The model that the options name. Raises ValueError for options that are none, and for those
    of a model that --model does not name."""
    given = {name: getattr(options, name) for name in FIELDS if getattr(options, name) is not None}
    if options.own_model is None:
        if given:
            option = f"--{next(iter(given)).replace('_', '-')}"
            raise ValueError(f"{option} belongs to a model of your own; name it with --model")
        return None
    return TrustedModel(options.own_model, **given)


def parse_app_options(argv: Sequence[str]) -> AppOptions:
    """What stands behind `streamlit run app.py --`. Raises ValueError with a sentence."""
    parser = _Parser(prog="streamlit run app.py --", allow_abbrev=False)
    add_model_options(parser)
    parser.add_argument(
        "--weights-only", type=Path, metavar="PATH", help="a checkpoint without its network"
    )
    options = parser.parse_args(list(argv))
    weights_only = options.weights_only
    if weights_only is not None and not weights_only.exists():
        raise ValueError(f"--weights-only {weights_only} is not there; pass a file or a folder")
    return AppOptions(model_of(options), weights_only and weights_only.absolute())
