"""Run all benchmarks, or those named: `python -m benchmarks slider live`."""

import argparse

import torch

from benchmarks import (
    arms,
    checkpoint,
    classroom,
    cold_start,
    deep_compression,
    int8,
    live,
    own_models,
    profile,
    slider,
    sweep,
    toolbox,
    training,
)
from benchmarks.table import machine_facts

BENCHMARKS = {
    "profile": profile.run,
    "slider": slider.run,
    "live": live.run,
    "cold_start": cold_start.run,
    "classroom": classroom.run,
    "sweep": sweep.run,
    "toolbox": toolbox.run,
    "int8": int8.run,
    "training": training.run,
    "arms": arms.run,
    "own_models": own_models.run,
    "checkpoint": checkpoint.run,
    "deep_compression": deep_compression.run,
}
ON_DEMAND = ("deep_compression", "checkpoint")  # hours; and 10 GB on the disk
BY_DEFAULT = [name for name in BENCHMARKS if name not in ON_DEMAND]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or BY_DEFAULT
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"unknown benchmark {name!r}; choose from {', '.join(BENCHMARKS)}")
    torch.set_num_threads(1)  # as the app and the command line do
    print(machine_facts())
    for name in names:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
