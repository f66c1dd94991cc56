"""The commands of the command line and their options."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from compress_core.command_line import checkpoint, commands, jobs, take_home, training
from compress_core.data import DATASETS
from compress_core.models.catalog import MODELS
from compress_core.models.checkpoints import CHECKPOINTS
from compress_core.search.farthest import TOLERANCE
from compress_core.trusted import add_model_options
from compress_core.writing import STANDARD_OUTPUT, WriteError, check_writable

BAD_INPUT = 2
NEW_CHECKPOINTS = Path("checkpoints")  # in the working directory


Add = Callable[..., argparse.ArgumentParser]  # a command by name, function and text


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, as every other error here."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"error: {message}; see {self.prog} --help\n")


def build_parser() -> Parser:
    parser = Parser(
        prog="python -m compress_core",
        description="Compress a network by a recipe, and measure what that did.",
    )
    added = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    add = command_adder(added)
    _add_networks(add)
    _add_recipes(add)
    _add_searches(add)
    listed = add("jobs", jobs.run_jobs, "list the jobs of the app and the command line, or end one")
    jobs.add_arguments(listed)
    opened = add(
        "checkpoint",
        checkpoint.run_checkpoint,
        "weights without a network: a safetensors file of any size, or its shards",
    )
    checkpoint.add_arguments(opened)
    return parser


def _add_networks(add: Add) -> None:
    """The reference networks, and the data that they are judged on."""
    add("models", commands.run_models, "the reference networks and how well they classify")

    train = add(
        "train",
        commands.run_train,
        "train a reference network and write its checkpoint and card; the shipped one stays",
    )
    train.add_argument("model", metavar="NAME")
    train.add_argument("--seed", type=int, default=0)
    place = train.add_mutually_exclusive_group()
    place.add_argument(
        "--out",
        type=Path,
        default=NEW_CHECKPOINTS,
        metavar="FOLDER",
        help=f"where NAME.safetensors and NAME.json go (default: ./{NEW_CHECKPOINTS})",
    )
    place.add_argument(
        "--replace",
        dest="out",
        action="store_const",
        const=CHECKPOINTS,
        help="write over the shipped checkpoint: every kept measurement and preset of it is void",
    )

    data = add("data", commands.run_data, "download a dataset into the user's cache")
    data.add_argument("dataset", metavar="NAME", choices=DATASETS)


def _add_recipes(add: Add) -> None:
    """One recipe: measured, written, read back."""
    measured = add(
        "measure", commands.run_measure, "print every measurement of a recipe or a stored file"
    )
    add_recipe(measured, model_help="or a stored file, FILE.cx")
    add_subset(measured)
    measured.add_argument(
        "--latency",
        action="store_true",
        help="time the ONNX graph in onnxruntime before and after, and say why it is not faster",
    )

    compressed = add(
        "compress", commands.run_compress, "compress, measure, and write the stored file"
    )
    add_recipe(compressed)
    add_subset(compressed)
    add_out(compressed, "the stored file, such as model.cx")
    compressed.add_argument(
        "--readable",
        action="store_true",
        help="write the larger form that readers of safetensors open",
    )

    decoded = add("decode", commands.run_decode, "decode a stored file into dense fp32 safetensors")
    decoded.add_argument("file", type=Path, metavar="F")
    add_out(decoded, "dense.safetensors")

    ledger = add("ledger", commands.run_ledger, "the same weights in every encoding, in real bytes")
    add_recipe(ledger)

    exported = add(
        "export-onnx", commands.run_export_onnx, "write the ONNX graph of a compressed model"
    )
    add_recipe(exported)
    add_out(exported, "model.onnx")

    taken = add(
        "take-home",
        take_home.run_take_home,
        "write every file of a recipe, and measure each: bytes, score, time",
    )
    add_recipe(taken)
    add_subset(taken)
    take_home.add_arguments(taken)


def _add_searches(add: Add) -> None:
    """Many recipes: curves, and the strongest setting."""
    swept = add(
        "sweep", commands.run_sweep, "measure methods over their ranges, every point a real file"
    )
    add_model(swept)
    chosen = swept.add_mutually_exclusive_group()
    chosen.add_argument("--family", action="append", metavar="NAME", help="default: all of them")
    chosen.add_argument(
        "--all", action="store_true", help="all of them and the network as it came; --out needs it"
    )
    add_subset(swept)
    swept.add_argument(
        "--out",
        type=output_file,
        metavar="F",
        help="the curves as they ship (assets/curves/MODEL.json), written point by point; what "
        "the file has already is kept, so a run that broke off goes on",
    )

    searched = add(
        "farthest",
        commands.run_farthest,
        "find the strongest setting of a step that loses less than a tolerance",
    )
    add_recipe(searched)
    searched.add_argument(
        "--move",
        type=int,
        metavar="N",
        help="the N-th step's number moves (default: the last step that has one); all else stays",
    )
    searched.add_argument(
        "--points",
        type=float,
        default=100 * TOLERANCE,
        metavar="P",
        help="less than P points may be lost, of perplexity P percent (default: %(default)g)",
    )
    add_subset(searched)


def command_adder(added: Any) -> Add:
    def add(
        name: str, run: Callable[[argparse.Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = added.add_parser(name, help=text, description=text)
        parser.set_defaults(run=run)
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        return parser

    return add


def add_recipe(parser: argparse.ArgumentParser, *, model_help: str = "") -> None:
    add_model(parser, model_help=model_help)
    parser.add_argument(
        "--step",
        action="append",
        default=[],
        metavar="STEP",
        help="such as prune:sparsity=0.9,scope=global or quantize:bits=4,layers=fc*; repeatable",
    )
    parser.add_argument(
        "--recipe", type=Path, metavar="F", help="a recipe's JSON; --step adds to it"
    )
    training.add_arguments(parser)


def add_model(parser: argparse.ArgumentParser, *, model_help: str = "") -> None:
    """MODEL, or --model with what belongs to one's own."""
    names = ", ".join(MODELS)
    help_text = f"{names}; {model_help}" if model_help else names
    parser.add_argument("model", metavar="MODEL", nargs="?", help=help_text)
    add_model_options(parser)


def add_subset(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--subset", type=int, metavar="N", help="measure on N test images, class-balanced, not all"
    )


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", type=output_file, required=True, metavar="F", help=what)


def output_file(text: str) -> Path:
    """Where to write a file, checked before anything is measured; `-` is standard output."""
    if not text:
        raise argparse.ArgumentTypeError("'' is no file; name one, or - for standard output")
    path = Path(text)
    if path == STANDARD_OUTPUT and text != str(STANDARD_OUTPUT):
        path = path.absolute()  # ./- is a file of that name
    try:
        check_writable(path)
    except WriteError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return path
