"""What each command does: options in, JSON or a table out."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from compress_core.command_line import console, own_models, training
from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset, download, load_dataset
from compress_core.measurement.report import Size, measure, measure_size
from compress_core.measurement.speed import Speed, measure_speed
from compress_core.models.catalog import MODELS
from compress_core.models.checkpoints import load_card
from compress_core.recipe import Recipe, format_step, from_json, parse_step, to_json
from compress_core.restoring import read_stored
from compress_core.sources import find_original, find_source, find_test_data, model_names
from compress_core.wording.speed import speed_in_words
from compress_core.writing import is_standard_output, write_file


def recipe_of(options: argparse.Namespace) -> Recipe:
    given: Recipe = ()
    if options.recipe:
        try:
            given = from_json(options.recipe.read_text())
        except ValueError as error:  # a UnicodeDecodeError too: no text, so no JSON
            raise ValueError(f"{options.recipe}: {error}") from error
    return (*given, *(parse_step(text) for text in options.step))


def compressed_of(options: argparse.Namespace) -> Compressed:
    return training.compressed_of(options, recipe_of(options))


def test_data(model: str, options: argparse.Namespace) -> Dataset:
    data = find_test_data(model)
    if options.subset is None:
        return data
    if not 1 <= options.subset <= len(data):
        raise ValueError(f"--subset {options.subset} must be from 1 to the {len(data)} test inputs")
    return data.subset(options.subset)


def told_of(model: str) -> tuple[str, ...]:
    """What is to be known of the data of a model of one's own, in sentences."""
    return find_source(model).told()


def as_field(told: tuple[str, ...]) -> dict[str, Any]:
    """The same as a field of the JSON; none of a reference network, of which there are none."""
    return {"about_data": list(told)} if told else {}


def emit(options: argparse.Namespace, data: Any, show: Callable[[], None]) -> None:
    """Print `data` as JSON, or call `show`; on standard error if --out is standard output."""
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
    row = {**vars(card), "out": str(options.out / f"{card.model}.safetensors")}
    emit(options, row, lambda: console.show_fields(row))


def run_data(options: argparse.Namespace) -> None:
    if options.dataset != "digits":  # they are embedded
        with console.progress() as bar:
            download(options.dataset, bar.fraction)
    sizes = {split: len(load_dataset(options.dataset, split)) for split in ("train", "test")}
    row = {"dataset": options.dataset, **sizes}
    emit(options, row, lambda: console.show_fields(row))


def run_measure(options: argparse.Namespace) -> None:
    if options.model not in model_names() and _is_file(options.model):
        run_measure_file(options)
        return
    compressed = compressed_of(options)
    report = measure(compressed, test_data(options.model, options))
    speed = speed_of(compressed, report.size) if options.latency else None

    told = told_of(options.model)

    def show() -> None:
        console.show_report(report, told=told)
        if speed:
            console.show_speed(speed)

    timed = speed.as_dict() | {"why": speed_in_words(speed)} if speed else {}
    emit(options, report.as_dict() | as_field(told) | timed, show)


def _is_file(name: str) -> bool:
    return name.endswith((".cx", ".safetensors")) or Path(name).exists()


def run_measure_file(options: argparse.Namespace) -> None:
    from compress_core.measurement.stored_file import measure_file

    file = Path(options.model)
    if options.step or options.recipe or options.latency:
        raise ValueError(
            f"{file} is measured as it is stored, by its own recipe: leave out --step, --recipe "
            "and --latency, or name the network in place of the file"
        )
    name = own_models.name_of(options) or read_stored(file).model
    if name not in model_names():
        raise ValueError(
            f"{file} was made of {name!r}, which is none of {', '.join(model_names())}; name its "
            "network with --model package.module:factory, or measure it in Python: "
            "restore(file, network)"
        )
    report = measure_file(file.read_bytes(), find_original(name), test_data(name, options))
    told = told_of(name)
    row = report.as_dict() | as_field(told)
    emit(options, row, lambda: console.show_report(report, told=told))


def speed_of(compressed: Compressed, size: Size) -> Speed:
    """Time the graphs as exported: they dequantize k-bit weights on every run."""
    from compress_core.graph import to_onnx

    graphs = to_onnx(compress(compressed.original, ())), to_onnx(compressed)
    return measure_speed(size, graphs, compressed.original.examples)


def run_compress(options: argparse.Namespace) -> None:
    compressed = compressed_of(options)
    report = measure(compressed, test_data(options.model, options))
    raw = compressed.container
    if options.readable:
        raw = compressed.readable.raw
        report = replace(report, size=measure_size(compressed, compressed.readable))
    write_file(options.out, raw)
    told = told_of(options.model)
    row = {**report.as_dict(), **as_field(told), "out": str(options.out)}
    emit(options, row, lambda: console.show_report(report, written=options.out, told=told))


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

    if options.out:
        write_curves(options)
        return
    original = find_original(options.model)
    known = families(original)
    names = options.family or list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"unknown family {name!r}; choose one of {', '.join(known)}")
    data = test_data(options.model, options)
    points = [(name, recipe) for name in names for recipe in known[name].recipes]
    if options.all:
        points.insert(0, ("original", ()))
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
    told = told_of(options.model)
    emit(options, rows, lambda: console.show_sweep(rows, told=told))


def write_curves(options: argparse.Namespace) -> None:
    """Measure the curves that ship with the project."""
    from compress_core.search.curves import measure_curves

    if not options.all or options.subset is not None:
        raise ValueError(
            f"--out {options.out} holds every family on all test images: add --all, and leave out "
            "--subset"
        )
    if options.model not in MODELS:
        raise ValueError(
            f"--out {options.out} holds curves that ship with a reference network, and "
            f"{options.model} is none; keep the points of your own with --json"
        )
    original, data = find_original(options.model), test_data(options.model, options)
    total = 0
    with console.progress() as bar:
        for done, total in measure_curves(original, data, options.out):
            bar.fraction(options.model, done / total, f"{options.model}: {done} of {total} points")
    row = {"model": options.model, "points": total, "out": str(options.out)}
    emit(options, row, lambda: console.show_fields(row))


def run_farthest(options: argparse.Namespace) -> None:
    from compress_core.search.curves import load_curves
    from compress_core.search.farthest import farthest, grid_of, last_movable
    from compress_core.search.sweep import baseline_of, point

    original, data = find_original(options.model), test_data(options.model, options)
    recipe = compressed_of(options).recipe
    index = last_movable(recipe) if options.move is None else options.move - 1
    grid = grid_of(original, recipe, index)
    known = load_curves(options.model).rows if options.subset is None else {}
    baseline = baseline_of(original, data)
    with console.progress() as bar:

        def look(moved: Recipe, fraction: float) -> dict[str, Any]:
            bar.fraction("farthest", fraction, f"measuring {format_step(moved[index])}")
            return point(original, moved, data, baseline)

        found = farthest(grid, look, known, tolerance=options.points / 100)
    told = told_of(options.model)
    row = {"model": options.model, **found.as_dict(), **as_field(told)}
    emit(options, row, lambda: console.show_farthest(options.model, found, told=told))


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
