"""The command `checkpoint`: weights without a network, their groups, one tensor, or all at bits."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from compress_core.checkpoint import (
    SWEPT_BITS,
    Checkpoint,
    Entry,
    GroupRow,
    Profiles,
    TensorLedger,
    Weighed,
    bit_steps,
    by_group,
    group_entries,
    of_whole,
    sweep_bits,
    tensor_ledger,
    weigh_tensor,
    write_compressed,
)
from compress_core.checkpoint.sweep import SEEN
from compress_core.command_line.commands import emit
from compress_core.command_line.console import print_table, progress, show_fields
from compress_core.events import Event, Progress, Silent
from compress_core.recipe import Recipe, parse_step
from compress_core.wording.numbers import percent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="file, .index.json or folder")
    parser.add_argument("--tensor", metavar="NAME", help="one tensor: its numbers and its bytes")
    parser.add_argument(
        "--step",
        action="append",
        default=[],
        metavar="STEP",
        help="what to do to the tensor, such as quantize:bits=4; repeatable",
    )
    parser.add_argument(
        "--sweep",
        action="store_true",
        help=f"weigh every tensor at {', '.join(map(str, SWEPT_BITS))} bits",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write the whole checkpoint after the steps: a folder of stored files",
    )
    parser.add_argument(
        "--exact", action="store_true", help="look at all weights, not at some rows of each tensor"
    )


def run_checkpoint(options: argparse.Namespace) -> None:
    if options.step and not (options.tensor or options.out):
        raise ValueError("--step acts on one tensor, --tensor NAME, or on all of --out FOLDER")
    if options.out and (options.tensor or options.sweep):
        raise ValueError("--out writes the whole checkpoint; leave out --tensor and --sweep")
    if options.sweep and options.tensor:
        raise ValueError("--sweep weighs all tensors; leave out --tensor, or --sweep")
    checkpoint = Checkpoint.open(options.path)
    if options.out:
        _write(checkpoint, options)
    elif options.sweep:
        _sweep(checkpoint, options)
    elif options.tensor:
        steps = tuple(parse_step(text) for text in options.step)
        _look(Profiles(checkpoint), checkpoint.entry(options.tensor), steps, options)
    else:
        _list(checkpoint, options)


def _list(checkpoint: Checkpoint, options: argparse.Namespace) -> None:
    rows = [
        {
            "tensors": group.pattern,
            "count": group.count,
            "shape": list(group.shape),
            "dtype": group.dtype,
            "weights": group.params,
            "bytes": group.bytes,
        }
        for group in group_entries(checkpoint.entries)
    ]
    data = {"path": str(checkpoint.path), "bytes": checkpoint.bytes, "groups": rows}
    title = f"{checkpoint.path}: {len(checkpoint.entries):,} tensors, {checkpoint.bytes:,} bytes"
    emit(options, data, lambda: _table(rows, title))


def _table(rows: Sequence[dict[str, Any]], title: str) -> None:
    cells = [tuple(_cell(value) for value in row.values()) for row in rows]
    print_table(tuple(rows[0]) if rows else ("tensors",), cells, title=title)


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return " × ".join(map(str, value)) or "one number"
    return "—" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _look(profiles: Profiles, entry: Entry, steps: Recipe, options: argparse.Namespace) -> None:
    census = profiles.census(entry)
    most = None if options.exact else 4 * SEEN
    row: dict[str, Any] = {
        "tensor": entry.name,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "weights": entry.weights,
        "own_bytes": entry.bytes,
        "distinct": int(census.values.size),
        "std": census.std,
        "largest": census.limit,
        "zeros": census.zeros,
        "not_finite": census.non_finite,
    }
    if not entry.is_weight:
        if steps:
            raise ValueError(f"{entry.name} of {entry.dtype} stays as it is: no step acts on it")
        emit(options, row, lambda: show_fields(row))
        return
    weighed = weigh_tensor(entry, steps, lambda: profiles.census(entry), most=most)
    ledger = tensor_ledger(entry, steps, lambda: profiles.census(entry), most=most)
    data = {**row, **_weighed(weighed), "ledger": [vars(line) for line in ledger.lines]}
    emit(options, data, lambda: _show_tensor({**row, **_weighed(weighed)}, ledger))


def _weighed(found: Weighed) -> dict[str, Any]:
    return {
        "stored_bytes": found.stored_bytes,
        "sqnr_db": found.sqnr_db,
        "rms_error": found.rms_error,
        "sparsity": found.sparsity,
        "looked_at": found.seen,
    }


def _show_tensor(row: dict[str, Any], ledger: TensorLedger) -> None:
    show_fields(row)
    title = f"Stored as (seen: {ledger.seen:,} of {ledger.weights:,} weights)"
    lines = [(line.name, _cell(line.bytes)) for line in ledger.lines]
    print_table(("stored as", "bytes"), lines, title=title)


def _write(checkpoint: Checkpoint, options: argparse.Namespace) -> None:
    steps = tuple(parse_step(text) for text in options.step)
    with progress() as bar:

        def tell(event: Event) -> None:
            if isinstance(event, Progress):
                bar.fraction("writing", event.fraction, event.text)

        written = write_compressed(checkpoint, steps, options.out, Silent(tell))
    row = {
        "out": str(written.folder),
        "files": len(written.files),
        "own_bytes": checkpoint.bytes,
        "stored_bytes": written.stored_bytes,
        "compression_ratio": checkpoint.bytes / written.stored_bytes,
        "left": written.left,
    }
    emit(options, row, lambda: show_fields(row))


def _sweep(checkpoint: Checkpoint, options: argparse.Namespace) -> None:
    with progress() as bar:

        def tell(event: Event) -> None:
            if isinstance(event, Progress):
                bar.fraction("weighing", event.fraction, event.text)

        most = None if options.exact else SEEN
        rows = sweep_bits(checkpoint, bit_steps(), Silent(tell), most=most)
    whole = of_whole(rows, checkpoint)
    groups = by_group(rows, group_entries(checkpoint.entries))
    data = {
        "path": str(checkpoint.path),
        "whole": [asdict(row) for row in whole],
        "groups": [asdict(row) for row in groups],
        "refused": {row.tensor: row.refused for row in rows if row.refused},
    }
    emit(options, data, lambda: _show_sweep(whole, groups))


def _show_sweep(whole: Sequence[GroupRow], groups: Sequence[GroupRow]) -> None:
    columns = ("tensors", "step", "bytes", "of", "× smaller", "SQNR dB", "seen")
    rows = [
        (
            row.pattern,
            row.step,
            f"{row.stored_bytes:,}",
            f"{row.own_bytes:,}",
            f"{row.own_bytes / max(1, row.stored_bytes):.2f}",
            "—" if row.sqnr_db is None else f"{row.sqnr_db:.1f}",
            percent(row.seen, 1),
        )
        for row in (*groups, *whole)
    ]
    print_table(columns, rows, title="All weights at each step; * is the whole checkpoint")
