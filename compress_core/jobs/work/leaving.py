"""The files that a recipe leaves as, each measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.dataset import DataError, Dataset
from compress_core.events import Watcher
from compress_core.jobs.log import append_line, read_lines
from compress_core.jobs.work.common import check_recipes, compressed_of, folder_of, go_on
from compress_core.leaving.exports import EXPORTS
from compress_core.leaving.measuring import FileBench, MeasuredFile, measured_file
from compress_core.sources import find_test_data

FILES = "files.jsonl"


@dataclass(frozen=True)
class Leaving:
    """Make every file that a recipe leaves as, and measure each on all test images.

    Result: `MeasuredFile.as_dict()` of each; `measured_file` reads it.
    """

    model: str
    recipe: str

    def __post_init__(self) -> None:
        check_recipes((self.recipe,))


def run_leaving(work: Leaving, watcher: Watcher) -> list[dict[str, Any]]:
    """Files that an earlier run of the job has measured are not measured again.

    Without test images there are bytes and times, and the reason.
    """
    data, no_data = _images_or_reason(work.model)
    bench = FileBench(compressed_of(work.model, work.recipe), data, no_data, watcher.stopped)
    known = load_files(folder_of(watcher))
    for i, export in enumerate(EXPORTS):
        if export.name not in known:
            file_name = export.file_name(bench.compressed.original.name)
            go_on(watcher, i / len(EXPORTS), f"measuring {file_name}")
            known[export.name] = bench.measure(export)
            append_line(folder_of(watcher) / FILES, known[export.name].as_dict())
    return [known[export.name].as_dict() for export in EXPORTS]


def load_files(kept: Path) -> dict[str, MeasuredFile]:
    """The files that a `Leaving` has measured so far, by name; also while it runs."""
    return {row["name"]: measured_file(row) for row in read_lines(kept / FILES)}


def _images_or_reason(model: str) -> tuple[Dataset | None, str]:
    """The test images of a model, or why they cannot be read."""
    try:
        return find_test_data(model), ""
    except DataError as error:
        return None, str(error)
