"""A compressed checkpoint: a folder of stored files in the readable form, written part by part.

A stored file holds at most 2²⁸ weights, and is made in memory; so a checkpoint becomes several, of
about PART_WEIGHTS each. A tensor is coded as a whole, which takes some 40 bytes for each of its
weights (5 GB for an embedding of 32,000 x 4,096). `parts.json` says which tensors are where, and
lets a run that broke off go on. `read_stored` reads each of them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from compress_core.checkpoint.census import census_of
from compress_core.checkpoint.header import CheckpointError, Entry
from compress_core.checkpoint.opening import Checkpoint
from compress_core.checkpoint.plan import check_steps, make_plan
from compress_core.checkpoint.profiles import Profiles
from compress_core.checkpoint.reading import matrix_shape, read_raw
from compress_core.events import Progress, Watcher
from compress_core.measurement.accuracy import Stopped
from compress_core.methods.pruning import Prune
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import Recipe, format_step, to_json
from compress_core.storage.content import MAX_WEIGHTS
from compress_core.storage.readable import encode_readable
from compress_core.storage.streams import StoredWeight
from compress_core.writing import write_file

PART_WEIGHTS = 1 << 25  # of a file, unless one tensor has more
LIST = "parts.json"


@dataclass(frozen=True)
class Written:
    """A written folder: its files with their bytes, and why tensors in `left` are as they came."""

    folder: Path
    files: dict[str, int]
    left: dict[str, str]

    @property
    def stored_bytes(self) -> int:
        """Bytes of all files, headers included."""
        return sum(self.files.values())


def write_compressed(
    checkpoint: Checkpoint, steps: Recipe, folder: Path, watcher: Watcher
) -> Written:
    """Write the checkpoint after `steps`, each tensor coded as a whole; norms and biases, and what
    `reason_left` names, stay in their own types.

    Files that an earlier run has written are kept. Raises ValueError for steps that weights alone
    cannot take, CheckpointError for a folder that holds another checkpoint, Stopped between two
    tensors where the watcher asks for it, WriteError where a file cannot be written.
    """
    check_steps(steps)
    _check_scopes(steps)
    folder.mkdir(parents=True, exist_ok=True)
    parts = _parts(checkpoint)
    about = {"identity": checkpoint.identity, "recipe": to_json(steps), "parts": len(parts)}
    known = _known(folder, about)
    done = 0
    for i, part in enumerate(parts):
        name = f"part-{i + 1:05}-of-{len(parts):05}.safetensors"
        if name not in known["files"]:
            known["left"] |= _write_part(checkpoint, part, steps, folder / name, watcher, done)
            known["files"][name] = (folder / name).stat().st_size
            known["tensors"] |= {entry.name: name for entry in part}
            write_file(folder / LIST, json.dumps(about | known, indent=1).encode())
        done += sum(entry.bytes for entry in part)
    return Written(folder, known["files"], known["left"])


def _check_scopes(steps: Recipe) -> None:
    """Raise ValueError for a step that looks at all tensors together: they come one at a time."""
    for step in steps:
        together = isinstance(step, Prune) and step.sparsity is not None and step.scope == "global"
        if together or (isinstance(step, ShareWeights) and step.scope == "all"):
            raise ValueError(
                f"{format_step(step)} looks at all weights together, and a checkpoint is written "
                "tensor by tensor; take scope=layer"
            )


def reason_left(entry: Entry) -> str | None:
    """Why a weight stays in its own type, None where it is coded."""
    if entry.weights > MAX_WEIGHTS:
        return f"{entry.weights:,} weights are more than the {MAX_WEIGHTS:,} of one stored file"
    if matrix_shape(entry)[0] != entry.shape[0]:
        return "it is a stack of matrices, which a stored file knows as one matrix only"
    return None


def _known(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """What an earlier run has written here."""
    fresh: dict[str, Any] = {"files": {}, "tensors": {}, "left": {}}
    path = folder / LIST
    if not path.exists():
        if any(folder.iterdir()):
            raise CheckpointError(f"{folder} holds other files; name a folder that is empty or new")
        return fresh
    found = json.loads(path.read_bytes())
    if {key: found.get(key) for key in about} != about:
        raise CheckpointError(
            f"{folder} holds another checkpoint, or one after other steps; name another folder"
        )
    return {key: found[key] for key in fresh}


def _parts(checkpoint: Checkpoint) -> list[list[Entry]]:
    """The tensors in order, cut where a file would have more than PART_WEIGHTS."""
    parts: list[list[Entry]] = [[]]
    size = 0
    for entry in checkpoint.entries:
        if parts[-1] and size + entry.weights > PART_WEIGHTS:
            parts, size = [*parts, []], 0
        parts[-1].append(entry)
        size += entry.weights
    return parts


def _write_part(
    checkpoint: Checkpoint,
    part: list[Entry],
    steps: Recipe,
    path: Path,
    watcher: Watcher,
    done: int,
) -> dict[str, str]:
    """Write one file; returns why some of its weights stayed as they are."""
    weights: dict[str, StoredWeight] = {}
    rest: dict[str, Tensor] = {}
    left: dict[str, str] = {}
    for entry in part:
        if watcher.stopped():
            raise Stopped
        watcher.report(Progress(done / max(1, checkpoint.bytes), f"writing {path.name}"))
        tensor = read_raw(entry)
        reason = reason_left(entry) if entry.is_weight else None
        can = entry.is_weight and reason is None
        coded = _coded(entry, tensor, steps, Profiles(checkpoint)) if can else reason
        if isinstance(coded, StoredWeight):
            weights[entry.name] = coded
        else:
            rest[entry.name] = tensor
            left |= {entry.name: coded} if coded else {}
        done += entry.bytes
    file = encode_readable(
        weights, rest, tied={}, model=checkpoint.path.name, recipe=to_json(steps)
    )
    write_file(path, file.raw)
    return left


def _coded(entry: Entry, tensor: Tensor, steps: Recipe, profiles: Profiles) -> StoredWeight | str:
    """The weight as it is stored, or why it cannot be."""
    weight, census = tensor.float(), profiles.census(entry)
    try:
        # bins of a wide type do not tell exactly how many weights fall: sort those
        plan = make_plan(steps, census if census.exact else census_of(weight), whole=True)
    except ValueError as error:
        return str(error)
    ((_, stored),) = plan.store([weight])
    _ = stored.streams  # coded now: the watcher hears of each tensor
    return stored
