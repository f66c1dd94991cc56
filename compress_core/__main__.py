"""The command line: `python -m compress_core COMMAND`, one function a command.

Bad input ends with exit code 2 and one line that says value, rule and remedy.
"""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from compress_core import console
from compress_core.compressed import Compressed, compress
from compress_core.data import DATASETS, Dataset, download, load_dataset
from compress_core.measurement.report import Size, measure, measure_size
from compress_core.measurement.speed import Speed, measure_speed
from compress_core.models.catalog import MODELS, model_spec
from compress_core.models.checkpoints import CHECKPOINTS, load_card
from compress_core.original import load_model
from compress_core.recipe import Recipe, from_json, parse_step, to_json
from compress_core.restoring import read_stored
from compress_core.wording.speed import speed_in_words
from compress_core.writing import (
    STANDARD_OUTPUT,
    WriteError,
    check_writable,
    is_standard_output,
    write_file,
)

BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one line, as every other error here."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"error: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    torch.set_num_threads(1)  # at these sizes a second thread costs more than it brings
    options = build_parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        return reader_left()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


def reader_left() -> int:
    """What comes behind `| head` has read enough: nothing more is printed, not at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print("error: the reader of the output left before all was printed", file=sys.stderr)
    return BAD_INPUT


def build_parser() -> Parser:
    parser = Parser(prog="python -m compress_core", description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    add = command_adder(commands)
    add("models", run_models, "the reference networks and how well they classify")

    train = add("train", run_train, "train a reference network and write its checkpoint")
    train.add_argument("model", metavar="NAME")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--out", type=Path, default=CHECKPOINTS, metavar="FOLDER")

    data = add("data", run_data, "download a dataset into the user's cache")
    data.add_argument("dataset", metavar="NAME", choices=DATASETS)

    measured = add("measure", run_measure, "print every measurement of a recipe or a stored file")
    add_recipe(measured, model_help="or a stored file, FILE.safetensors")
    add_subset(measured)
    measured.add_argument(
        "--latency",
        action="store_true",
        help="time the ONNX graph in onnxruntime before and after, and say why it is not faster",
    )

    compressed = add("compress", run_compress, "compress, measure, and write the stored file")
    add_recipe(compressed)
    add_subset(compressed)
    add_out(compressed, "the container, a safetensors file")

    decoded = add("decode", run_decode, "decode a stored file into dense fp32 safetensors")
    decoded.add_argument("file", type=Path, metavar="F")
    add_out(decoded, "dense.safetensors")

    swept = add("sweep", run_sweep, "measure methods over their ranges, every point a real file")
    swept.add_argument("model", metavar="MODEL")
    swept.add_argument("--family", action="append", metavar="NAME", help="default: all of them")
    add_subset(swept)

    ledger = add("ledger", run_ledger, "the same weights in every encoding, in real bytes")
    add_recipe(ledger)

    exported = add("export-onnx", run_export_onnx, "write the ONNX graph of a compressed model")
    add_recipe(exported)
    add_out(exported, "model.onnx")
    return parser


def command_adder(commands: Any) -> Callable[..., argparse.ArgumentParser]:
    def add(
        name: str, run: Callable[[argparse.Namespace], None], text: str
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
        parser.set_defaults(run=run)
        parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
        return parser

    return add


def add_recipe(parser: argparse.ArgumentParser, *, model_help: str = "") -> None:
    names = ", ".join(MODELS)
    help_text = f"{names}; {model_help}" if model_help else names
    parser.add_argument("model", metavar="MODEL", help=help_text)
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


def recipe_of(options: argparse.Namespace) -> Recipe:
    given: Recipe = ()
    if options.recipe:
        try:
            given = from_json(options.recipe.read_text())
        except ValueError as error:  # a UnicodeDecodeError too: no text, so no JSON
            raise ValueError(f"{options.recipe}: {error}") from error
    return (*given, *(parse_step(text) for text in options.step))


def compressed_of(options: argparse.Namespace) -> Compressed:
    return compress(load_model(options.model), recipe_of(options))


def test_data(model: str, options: argparse.Namespace) -> Dataset:
    data = load_dataset(model_spec(model).dataset)
    if options.subset is None:
        return data
    if not 1 <= options.subset <= len(data):
        raise ValueError(f"--subset {options.subset} must be from 1 to the {len(data)} test images")
    return data.subset(options.subset)


def emit(options: argparse.Namespace, data: Any, show: Callable[[], None]) -> None:
    """Print `data` as JSON, or what `show` shows; where the file is the output, as errors."""
    to_file = isinstance(getattr(options, "out", None), Path) and is_standard_output(options.out)
    with contextlib.redirect_stdout(sys.stderr if to_file else sys.stdout):
        if options.json:
            print(json.dumps(data, indent=2))
        else:
            show()


def run_models(options: argparse.Namespace) -> None:
    cards = [load_card(name) for name in MODELS]
    rows = [{**vars(card), "description": MODELS[card.model].description} for card in cards]
    emit(options, rows, lambda: console.show_models(rows))


def run_train(options: argparse.Namespace) -> None:
    from compress_core.training.checkpoint import train_checkpoint

    with console.progress() as bar:
        report = bar.epoch_reporter(options.model)
        card = train_checkpoint(
            options.model, seed=options.seed, folder=options.out, progress=report
        )
    emit(options, vars(card), lambda: console.show_fields(vars(card)))


def run_data(options: argparse.Namespace) -> None:
    if options.dataset != "digits":  # they are embedded
        with console.progress() as bar:
            download(options.dataset, bar.fraction)
    sizes = {split: len(load_dataset(options.dataset, split)) for split in ("train", "test")}
    row = {"dataset": options.dataset, **sizes}
    emit(options, row, lambda: console.show_fields(row))


def run_measure(options: argparse.Namespace) -> None:
    if options.model not in MODELS and options.model.endswith(".safetensors"):
        run_measure_file(options)
        return
    compressed = compressed_of(options)
    report = measure(compressed, test_data(options.model, options))
    speed = speed_of(compressed, report.size) if options.latency else None

    def show() -> None:
        console.show_report(report)
        if speed:
            console.show_speed(speed)

    timed = speed.as_dict() | {"why": speed_in_words(speed)} if speed else {}
    emit(options, report.as_dict() | timed, show)


def run_measure_file(options: argparse.Namespace) -> None:
    from compress_core.measurement.stored_file import measure_file

    file = Path(options.model)
    if options.step or options.recipe or options.latency:
        raise ValueError(
            f"{file} is measured as it is stored, by its own recipe: leave out --step, --recipe "
            "and --latency, or name the network in place of the file"
        )
    name = read_stored(file).model
    if name not in MODELS:
        raise ValueError(
            f"{file} was made of {name!r}, which is none of {', '.join(MODELS)}; measure it in "
            "Python: restore(file, network)"
        )
    report = measure_file(file.read_bytes(), load_model(name), test_data(name, options))
    emit(options, report.as_dict(), lambda: console.show_report(report))


def speed_of(compressed: Compressed, size: Size) -> Speed:
    """Of the graphs as exported: k-bit weights are dequantized there on every run."""
    from compress_core.graph import to_onnx

    graphs = to_onnx(compress(compressed.original, ())), to_onnx(compressed)
    return measure_speed(size, graphs, compressed.original.examples)


def run_compress(options: argparse.Namespace) -> None:
    compressed = compressed_of(options)
    report = measure(compressed, test_data(options.model, options))
    write_file(options.out, compressed.container)
    row = {**report.as_dict(), "out": str(options.out)}
    emit(options, row, lambda: console.show_report(report, written=options.out))


def run_decode(options: argparse.Namespace) -> None:
    from safetensors.torch import save

    decoded = read_stored(options.file)
    raw = save({key: tensor.contiguous() for key, tensor in decoded.dense_tensors.items()})
    write_file(options.out, raw)
    row = {
        "model": decoded.model,
        "recipe": decoded.recipe,
        "stored_bytes": options.file.stat().st_size,
        "dense_bytes": len(raw),
        "tensors": len(decoded.dense_tensors),
        "out": str(options.out),
    }
    emit(options, row, lambda: console.show_fields(row))


def run_sweep(options: argparse.Namespace) -> None:
    from compress_core.search.sweep import families, sweep

    original = load_model(options.model)
    known = families(original)
    names = options.family or list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"unknown family {name!r}; choose one of {', '.join(known)}")
    data = test_data(options.model, options)
    points = [(name, recipe) for name in names for recipe in known[name].recipes]
    with console.progress() as bar:
        reports = list(
            bar.track(
                sweep(original, [recipe for _, recipe in points], data), len(points), "measuring"
            )
        )
    rows = [
        {"family": name, **report.as_dict()}
        for (name, _), report in zip(points, reports, strict=True)
    ]
    emit(options, rows, lambda: console.show_sweep(rows))


def run_ledger(options: argparse.Namespace) -> None:
    from compress_core.graph import to_onnx
    from compress_core.measurement.ledger import finding, ledger
    from compress_core.wording.ledger import ledger_in_words

    compressed = compressed_of(options)
    rows = ledger(compressed, to_onnx(compressed))
    row = {
        "model": options.model,
        "recipe": to_json(compressed.recipe),
        "verdict": ledger_in_words(finding(rows, measure_size(compressed).sparsity)),
        "rows": [row.as_dict() for row in rows],
    }
    emit(options, row, lambda: console.show_ledger(row))


def run_export_onnx(options: argparse.Namespace) -> None:
    from compress_core.graph import to_onnx

    raw = to_onnx(compressed_of(options))
    write_file(options.out, raw)
    row = {"model": options.model, "onnx_bytes": len(raw), "out": str(options.out)}
    emit(options, row, lambda: console.show_fields(row))


if __name__ == "__main__":
    sys.exit(main())
