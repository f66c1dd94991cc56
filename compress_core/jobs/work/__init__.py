"""What a job does: one flat dataclass and one function for each kind of work.

A work holds names and texts, never tensors, so that it can be written to a file, and sent to
another process or machine. Its `work_key` is the same for everybody who asks for the same.

sweep       many recipes, each measured on all test images
timing      a network's time beside the original's
training    the training that a recipe asks for
search      the strongest setting of a step that loses little enough
leaving     the files that a recipe leaves as, each measured
checkpoint  a checkpoint without a network: all its tensors weighed, and the spectrum of one
kinds       the table of the kinds, by the names that stand in jobs' folders, and a work's key
common      what the kinds share
"""

from compress_core.jobs.work.checkpoint import Spectrum, Weighing
from compress_core.jobs.work.common import load_points
from compress_core.jobs.work.kinds import (
    KINDS,
    Lane,
    Work,
    do,
    kind_of,
    work_from_json,
    work_key,
    work_to_json,
)
from compress_core.jobs.work.leaving import Leaving, load_files
from compress_core.jobs.work.search import Searching, searching
from compress_core.jobs.work.sweep import Sweep
from compress_core.jobs.work.timing import Timing, speed_from_json
from compress_core.jobs.work.training import Training

__all__ = [
    "KINDS",
    "Lane",
    "Leaving",
    "Searching",
    "Spectrum",
    "Sweep",
    "Timing",
    "Training",
    "Weighing",
    "Work",
    "do",
    "kind_of",
    "load_files",
    "load_points",
    "searching",
    "speed_from_json",
    "work_from_json",
    "work_key",
    "work_to_json",
]
