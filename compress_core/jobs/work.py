"""What a job does: one flat dataclass and one function for each kind of work.

A work holds names and texts, never tensors, so that it can be written to a file, and sent to
another process or machine. Its `work_key` is the same for everybody who asks for the same.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from compress_core.checkpoint import (
    Checkpoint,
    Profiles,
    SweepRow,
    row_from_json,
    singular_values,
    sweep_bits,
)
from compress_core.checkpoint.sweep import SEEN
from compress_core.compressed import Compressed, compress
from compress_core.dataset import DataError, Dataset
from compress_core.events import Progress, Watcher
from compress_core.jobs.log import append_line, read_lines
from compress_core.leaving.exports import EXPORTS
from compress_core.leaving.measuring import FileBench, MeasuredFile, measured_file
from compress_core.measurement.accuracy import Stopped
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import measure, measure_size
from compress_core.measurement.speed import Speed, measure_speed
from compress_core.original import Original
from compress_core.recipe import (
    Recipe,
    format_recipe,
    format_step,
    from_json,
    parse_recipe,
    to_json,
)
from compress_core.search.curves import load_curves
from compress_core.search.farthest import check_movable, farthest, grid_of, with_number
from compress_core.search.sweep import Row, baseline_of, point
from compress_core.sources import content_key, find_original, find_test_data
from compress_core.storage.container import ENCODINGS
from compress_core.trained import NotTrained

VERSION = 1  # of the functions below: a higher one makes every result anew
POINTS, FILES = "points.jsonl", "files.jsonl"

# How long a kind of work takes: what takes hours or minutes must not keep the quick waiting.
Lane = Literal["minutes", "hours"]


@dataclass(frozen=True)
class Sweep:
    """Measure each recipe (its text) on all test images.

    Result: `Report.as_dict()` of each; {"recipe": …, "refused": why} where one cannot be measured.
    """

    model: str
    recipes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.recipes:
            raise ValueError("a sweep of no recipes measures nothing; give at least one")
        _check(self.recipes)


@dataclass(frozen=True)
class Timing:
    """Time a recipe's graph beside the original's. Result: the fields of `Speed`, nested;
    `speed_from_json` reads them."""

    model: str
    recipe: str

    def __post_init__(self) -> None:
        _check((self.recipe,))


@dataclass(frozen=True)
class Training:
    """Train every step of a recipe that trains and has no result yet, and keep the results.

    Result: the fields of `Report.as_dict()` on all test images.
    """

    model: str
    recipe: str

    def __post_init__(self) -> None:
        _check((self.recipe,))


@dataclass(frozen=True)
class Searching:
    """Find the strongest setting of the step at `index` that loses less than `tolerance` on all
    test images (see search.farthest; `searching` makes equal searches equal).

    Result: `Farthest.as_dict()`; `farthest_from_json` reads it.
    """

    model: str
    recipe: str
    index: int
    tolerance: float

    def __post_init__(self) -> None:
        _check((self.recipe,))
        check_movable(_parsed(self.recipe), self.index)
        if not self.tolerance > 0:
            raise ValueError(f"tolerance={self.tolerance} allows no loss; 0.005 is half a point")


@dataclass(frozen=True)
class Leaving:
    """Make every file that a recipe leaves as, and measure each on all test images.

    Result: `MeasuredFile.as_dict()` of each; `measured_file` reads it.
    """

    model: str
    recipe: str

    def __post_init__(self) -> None:
        _check((self.recipe,))


@dataclass(frozen=True)
class Weighing:
    """Weigh every tensor of a checkpoint without a network after each recipe of `steps` (texts).

    `identity` is that of the checkpoint when it was opened: another content is other work. `exact`:
    look at all weights, not at some rows of each tensor. Result: `SweepRow.as_dict()` of each.
    """

    path: str
    identity: str
    steps: tuple[str, ...]
    exact: bool = False

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a sweep of no steps weighs nothing; give at least one")
        for text in self.steps:
            _parsed(text)

    @property
    def model(self) -> str:
        """What the work is about, in lists of jobs."""
        return Path(self.path).name


@dataclass(frozen=True)
class Spectrum:
    """The singular values of one tensor of a checkpoint, kept among its profiles.

    Result: how many there are. `path` and `identity` as in `Weighing`.
    """

    path: str
    identity: str
    tensor: str

    @property
    def model(self) -> str:
        """What the work is about, in lists of jobs."""
        return f"{Path(self.path).name} {self.tensor}"


Work = Sweep | Timing | Training | Searching | Leaving | Weighing | Spectrum


def searching(model: str, recipe: Recipe, index: int, tolerance: float) -> Searching:
    """The search over the number of a step, whatever that number is now."""
    check_movable(recipe, index)
    moved = (*recipe[:index], with_number(recipe[index]), *recipe[index + 1 :])
    return Searching(model, format_recipe(moved), index, tolerance)


def _check(recipes: Sequence[str]) -> None:
    """Raise ValueError for a text that is no recipe. The model may be unknown here: one of its
    own that an earlier server was started with; `work_key` and `do` refuse it."""
    for text in recipes:
        _parsed(text)


@lru_cache(maxsize=10_000)
def _parsed(text: str) -> Recipe:
    """A text is read often: with every change of its job."""
    return parse_recipe(text)


def run_sweep(work: Sweep, watcher: Watcher) -> list[dict[str, Any]]:
    """Points that an earlier run of the job has measured are not measured again.

    Raises NotTrained or DataError at the end, where one of them kept a point from being measured:
    that may change, and then the job can go on.
    """
    original, data = _original(work.model), _test_images(work.model)
    recipes = [_parsed(text) for text in work.recipes]
    known = {json.dumps(row["recipe"]): row for row in load_points(_kept(watcher))}
    baseline = baseline_of(original, data)
    lacking: ValueError | None = None
    for i, recipe in enumerate(recipes):
        name = json.dumps(to_json(recipe))
        if name not in known:
            _go_on(watcher, i / len(recipes), f"point {i + 1} of {len(recipes)}")
            try:
                known[name] = point(original, recipe, data, baseline)
            except (NotTrained, DataError) as error:
                lacking = error
            else:
                append_line(_kept(watcher) / POINTS, known[name])
    if lacking is not None:
        raise lacking
    return [known[json.dumps(to_json(recipe))] for recipe in recipes]


def load_points(kept: Path) -> list[dict[str, Any]]:
    """The points that a `Sweep` has measured so far, also while it runs, and after it failed."""
    return read_lines(kept / POINTS)


def run_timing(work: Timing, watcher: Watcher) -> dict[str, Any]:
    """The graphs as exported: they dequantize k-bit weights on every run."""
    from compress_core.graph import to_onnx  # half a second of import, only for this kind

    original = _original(work.model)
    _go_on(watcher, 0, "exporting the graph before")
    if original.elsewhere:
        return original.elsewhere.speed(work.recipe)
    before = to_onnx(compress(original, ()))
    _go_on(watcher, 1 / 3, "exporting the graph after")
    compressed = _compressed(work.model, work.recipe)
    after = to_onnx(compressed)
    _go_on(watcher, 2 / 3, "timing")
    size = measure_size(compressed)
    return asdict(measure_speed(size, (before, after), original.examples))


def speed_from_json(result: dict[str, Any]) -> Speed:
    """What a `Timing` found."""
    times = {name: Latency(**result[name]) for name in ("before", "after")}
    return Speed(**{**result, **times})


def run_training(work: Training, watcher: Watcher) -> dict[str, Any]:
    from compress_core.training.recovering import train_steps  # only for this kind

    original = _original(work.model)
    compressed = train_steps(original, _parsed(work.recipe), watcher=watcher)
    return measure(compressed, _test_images(work.model)).as_dict()


def run_searching(work: Searching, watcher: Watcher) -> dict[str, Any]:
    """It begins with the curves that ship, and with what an earlier run of the job has measured."""
    original, data = _original(work.model), _test_images(work.model)
    baseline = baseline_of(original, data)
    kept = {from_json(row["recipe"]): row for row in load_points(_kept(watcher))}

    def look(recipe: Recipe, fraction: float) -> Row:
        _go_on(watcher, fraction, f"measuring {format_step(recipe[work.index])}")
        row = point(original, recipe, data, baseline)
        append_line(_kept(watcher) / POINTS, row)
        return row

    grid = grid_of(original, _parsed(work.recipe), work.index)
    known = {**load_curves(work.model).rows, **kept}
    return farthest(grid, look, known, tolerance=work.tolerance).as_dict()


def run_weighing(work: Weighing, watcher: Watcher) -> list[dict[str, Any]]:
    """Tensors that an earlier run of the job has weighed are not weighed again."""
    file = _kept(watcher) / POINTS

    def keep(row: SweepRow) -> None:
        append_line(file, row.as_dict())

    rows = sweep_bits(
        _opened(work),
        work.steps,
        watcher,
        most=None if work.exact else SEEN,
        known=[row_from_json(row) for row in read_lines(file)],
        keep=keep,
    )
    return [row.as_dict() for row in rows]


def run_spectrum(work: Spectrum, watcher: Watcher) -> int:
    checkpoint = _opened(work)
    entry = checkpoint.entry(work.tensor)
    values = singular_values(entry, watcher)
    Profiles(checkpoint).keep_spectrum(entry, values)
    return int(values.size)


def _opened(work: Weighing | Spectrum) -> Checkpoint:
    """Raises ValueError where the checkpoint is another one by now."""
    found = Checkpoint.open(work.path)
    if found.identity != work.identity:
        raise ValueError(f"{found.path.name} changed since it was opened; start the work anew")
    return found


def run_leaving(work: Leaving, watcher: Watcher) -> list[dict[str, Any]]:
    """Files that an earlier run of the job has measured are not measured again.

    Without test images there are bytes and times, and the reason.
    """
    data, no_data = _images_or_reason(work.model)
    bench = FileBench(_compressed(work.model, work.recipe), data, no_data, watcher.stopped)
    known = load_files(_kept(watcher))
    for i, export in enumerate(EXPORTS):
        if export.name not in known:
            file_name = export.file_name(bench.compressed.original.name)
            _go_on(watcher, i / len(EXPORTS), f"measuring {file_name}")
            known[export.name] = bench.measure(export)
            append_line(_kept(watcher) / FILES, known[export.name].as_dict())
    return [known[export.name].as_dict() for export in EXPORTS]


def load_files(kept: Path) -> dict[str, MeasuredFile]:
    """The files that a `Leaving` has measured so far, by name; also while it runs."""
    return {row["name"]: measured_file(row) for row in read_lines(kept / FILES)}


def _images_or_reason(model: str) -> tuple[Dataset | None, str]:
    """The test images of a model, or why they cannot be read."""
    try:
        return _test_images(model), ""
    except DataError as error:
        return None, str(error)


def _go_on(watcher: Watcher, fraction: float, text: str) -> None:
    """Tell what comes now, unless it is to end here."""
    if watcher.stopped():
        raise Stopped
    watcher.report(Progress(fraction, text))


def _kept(watcher: Watcher) -> Path:
    assert watcher.folder is not None, "a job has a folder"
    return watcher.folder


@lru_cache(maxsize=2)
def _original(model: str) -> Original:
    """A process does several jobs, often on the same network: its exported graphs stay, too."""
    return find_original(model)


def _compressed(model: str, recipe: str) -> Compressed:
    return compress(_original(model), _parsed(recipe))


def _test_images(model: str) -> Dataset:
    return find_test_data(model)


class Kind(NamedTuple):
    """A kind of work: its type, the function that does it, and in which lane it waits."""

    type: type[Work]
    run: Callable[[Any, Watcher], Any]
    lane: Lane


# A row for each kind of work; the function's result is JSON-ready.
KINDS = {
    "sweep": Kind(Sweep, run_sweep, "minutes"),
    "latency": Kind(Timing, run_timing, "minutes"),
    "train": Kind(Training, run_training, "hours"),
    "farthest": Kind(Searching, run_searching, "minutes"),
    "take_home": Kind(Leaving, run_leaving, "minutes"),
    "checkpoint": Kind(Weighing, run_weighing, "minutes"),
    "spectrum": Kind(Spectrum, run_spectrum, "minutes"),
}


def kind_of(work: Work) -> str:
    """The name of a work's kind."""
    return next(name for name, kind in KINDS.items() if type(work) is kind.type)


def do(work: Work, watcher: Watcher) -> Any:
    """Do the work. Raises Stopped where the watcher asks for it, else what the work raises."""
    return KINDS[kind_of(work)].run(work, watcher)


def work_key(work: Work) -> str:
    """16 hexadecimal digits: equal for equal work on an equal network, in equal encodings.

    Raises ValueError for a model that is not known.
    """
    fields = work_to_json(work)
    for name in fields.keys() & {"recipe", "recipes"}:
        texts = [fields[name]] if name == "recipe" else fields[name]
        fields[name] = [format_recipe(_parsed(text)) for text in texts]
    about = [VERSION, ENCODINGS, _content_of(work), fields]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _content_of(work: Work) -> str:
    """What tells whether the weights are the same."""
    if isinstance(work, Weighing | Spectrum):
        return work.identity
    return content_key(work.model)


def work_to_json(work: Work) -> dict[str, Any]:
    """A work as JSON-ready data: {"kind": "sweep", "model": "digits-cnn", "recipes": […]}."""
    return {"kind": kind_of(work), **asdict(work)}


def work_from_json(data: dict[str, Any]) -> Work:
    """The work in such data. Raises KeyError, TypeError or ValueError for anything else."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if name != "kind"
    }
    return KINDS[data["kind"]].type(**fields)
