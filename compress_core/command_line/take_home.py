"""`take-home`: every file of a recipe written to a folder, and what was measured of each."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compress_core.command_line import commands, console
from compress_core.leaving.exports import EXPORTS, Export, leaves_codes_out
from compress_core.leaving.measuring import FileBench, MeasuredFile, is_saturated
from compress_core.recipe import to_json
from compress_core.wording.exports import CODES_LEFT_OUT, SATURATES, TITLES
from compress_core.wording.numbers import percent
from compress_core.writing import write_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="made if it is not there"
    )


def run_take_home(options: argparse.Namespace) -> None:
    compressed = commands.compressed_of(options)
    bench = FileBench(compressed, commands.test_data(options.model, options))
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    with console.progress() as bar:
        for export in bar.track(EXPORTS, len(EXPORTS), "measuring"):
            rows.append(bench.measure(export))
            if rows[-1].file_bytes is not None:
                write_file(_path(options, export), export.make(compressed))
    dense = compressed.original.stored_bytes
    row = {
        "model": options.model,
        "recipe": to_json(compressed.recipe),
        "original_bytes": dense,
        "files": [_as_dict(options, found) for found in rows],
    }
    commands.emit(options, row, lambda: _show(options, rows, dense))
    if not options.json and any(leaves_codes_out(e, compressed.recipe) for e in EXPORTS):
        console.say(f"int8 and int4: {CODES_LEFT_OUT[0].lower()}{CODES_LEFT_OUT[1:]}")
    if not options.json and is_saturated(rows):
        console.say(SATURATES)


def _path(options: argparse.Namespace, export: Export) -> Path:
    folder: Path = options.out
    return folder / export.file_name(options.model)


def _as_dict(options: argparse.Namespace, found: MeasuredFile) -> dict[str, Any]:
    export = next(export for export in EXPORTS if export.name == found.name)
    made = found.file_bytes is not None
    return found.as_dict() | {"out": str(_path(options, export)) if made else None}


def _show(options: argparse.Namespace, rows: Sequence[MeasuredFile], dense: int) -> None:
    console.print_table(
        ("file", "bytes", "of fp32", "score", "change", "p50 ms", "p95 ms", "speed"),
        [_cells(found, dense) for found in rows],
        title=f"{options.model} in {options.out}",
    )
    reasons = [(TITLES[found.name], found.reason) for found in rows if found.reason]
    if reasons:
        console.print_table(("not there", "because"), reasons)


def _cells(found: MeasuredFile, dense: int) -> tuple[str, ...]:
    score, after, size = found.score, found.after, found.file_bytes
    half = (score.high - score.low) / 2 if score else 0.0
    share = score is not None and score.kind.is_share
    change = found.change.difference if found.change else 0.0
    return (
        TITLES[found.name],
        f"{size:,}" if size else "-",
        percent(size / dense) if size else "-",
        f"{console.value_of(score, score.value, 2)} ± {100 * half if share else half:.2g}"
        if score
        else "-",
        (f"{100 * change:+.2f}" if share else f"{change:+.4g}") if score else "-",
        f"{after.latency_ms_p50:.4f}" if after else "-",
        f"{after.latency_ms_p95:.4f}" if after else "-",
        f"{found.speedup:.2f}x" if found.speedup else "-",
    )
