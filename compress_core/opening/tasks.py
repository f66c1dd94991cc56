"""What a sandboxed child does with a network of other people. Each task takes and gives JSON, in
the network's folder, which is the working directory.

`open_network` comes first: it checks and imports the file, runs it, and leaves the folder as
`facts` describes it. The other tasks answer for the network by the text form of a recipe.
"""

import hashlib
from dataclasses import asdict, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch

from compress_core.compressed import Compressed, compress
from compress_core.graph import to_onnx
from compress_core.leaving.exports import BY_NAME
from compress_core.leaving.measuring import FileBench
from compress_core.measurement.cost import layer_macs
from compress_core.measurement.report import measure_size
from compress_core.measurement.scores import judge
from compress_core.measurement.slices import SUBSET, Bench, Run
from compress_core.measurement.speed import measure_speed
from compress_core.opening.facts import CALIBRATION, DATA, SOURCE, read_facts, write_facts
from compress_core.opening.finding_out import Asked, find_facts, original_of, rows_at_once
from compress_core.opening.importing import import_file
from compress_core.opening.looking import look
from compress_core.original import Original
from compress_core.own_data import read_dataset
from compress_core.recipe import parse_recipe
from compress_core.search.sweep import point

Answer = dict[str, Any]


def open_network(**asked: Any) -> Answer:
    """Open the file SOURCE; `asked` are the fields of `Asked`. Raises ValueError, in words for the
    person who brought the file."""
    facts = find_facts(import_file(Path(SOURCE)), Asked(**asked))
    write_facts(facts, Path())
    return {"digest": facts.digest}


def look_at_data(file: str, title: str) -> Answer:
    """What is in a file of data, as `look` says it."""
    return look(_network(), file, title)


def macs(recipe: str) -> Answer:
    """MACs of each module under a recipe, for one input."""
    made = _compressed(recipe)
    return dict(layer_macs(made.as_stored, made.original.examples))


def answers(recipe: str, start: int, stop: int) -> Answer:
    """What is kept of the answers to these rows (see `Bench.run`)."""
    run, size = _run(recipe), _bench().judge.batch
    places = range(start, min(stop, len(_bench().data)), size)
    parts = [run.answers(slice(place, min(place + size, stop))).columns for place in places]
    return {"columns": torch.cat(parts).tolist() if parts else []}


def measured(recipe: str) -> Answer:
    """A point of the plane: `Report.as_dict()`, or why there is none."""
    bench = _bench()
    return point(_network(), parse_recipe(recipe), bench.data, bench.baseline)


def exported(recipe: str, name: str) -> Answer:
    """The file of a recipe that is called so in `EXPORTS`, written into the folder."""
    file = Path(f"{hashlib.sha256(f'{name} {recipe}'.encode()).hexdigest()[:16]}.out")
    file.write_bytes(BY_NAME[name].make(_compressed(recipe)))
    return {"file": file.name}


def measured_file(recipe: str, name: str) -> Answer:
    """The fields of `MeasuredFile` of this file."""
    bench = FileBench(_compressed(recipe), _bench().data)
    return bench.measure(BY_NAME[name]).as_dict()


def timed(recipe: str) -> Answer:
    """The fields of `Speed`, nested."""
    made = _compressed(recipe)
    graphs = to_onnx(compress(made.original, ())), to_onnx(made)
    return asdict(measure_speed(measure_size(made), graphs, made.original.examples))


@lru_cache(maxsize=1)
def _network() -> Original:
    """The network of this folder."""
    calibration = Path(CALIBRATION)
    return original_of(
        import_file(Path(SOURCE)),
        read_facts(Path()).output,
        partial(read_dataset, calibration) if calibration.exists() else None,
    )


@lru_cache(maxsize=1)
def _bench() -> Bench:
    data = read_dataset(Path(DATA)).balanced(SUBSET)
    found = judge(_network(), data)
    batch = min(found.batch, rows_at_once(_network()))
    return Bench(_network().pristine, data, replace(found, batch=batch))


@lru_cache(maxsize=4)
def _compressed(recipe: str) -> Compressed:
    return compress(_network(), parse_recipe(recipe))


@lru_cache(maxsize=4)
def _run(recipe: str) -> Run:
    return _bench().run(_compressed(recipe).as_stored)
