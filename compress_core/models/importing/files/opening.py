"""Opening somebody's file: the part that runs in the sandbox, and the part that asks it to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from compress_core.models.importing.files.checking import check_kind
from compress_core.models.importing.files.clean import TensorSource, write_clean
from compress_core.models.importing.files.errors import UnsafeFileError, refuse
from compress_core.models.importing.files.kinds import Kind
from compress_core.models.importing.files.safetensors_header import (
    MOST_HEADER,
    TensorPlace,
    read_header,
)
from compress_core.models.importing.files.shards import sources_of_file, sources_of_folder
from compress_core.models.importing.files.state_dict import sources_of_state_dict
from compress_core.models.importing.files.torch_file import read_legacy_torch, read_torch_zip
from compress_core.sandbox import Limits, RefusedError, run
from compress_core.shown import shown_name

WEIGHTS = "weights.safetensors"
WEIGHT_KINDS = (Kind.SAFETENSORS, Kind.STATE_DICT, Kind.LEGACY_TORCH)
OPENING = Limits(memory_bytes=1_000_000_000, seconds=30.0, cpu_seconds=20.0)
BYTES_PER_SECOND = 20e6  # at least, of a slow disk on a busy machine


@dataclass(frozen=True)
class WeightsFile:
    """Weights in a safetensors file of ours, and what is known of where they come from.

    `non_finite` counts infinite and NaN values of the tensors that have any; `left_out` has what
    was not taken over, with the reason.
    """

    path: Path
    kind: Kind
    tensors: tuple[TensorPlace, ...]
    non_finite: Mapping[str, int]
    left_out: tuple[tuple[str, str], ...]


def read_weights(path: Path, folder: Path, most_header: int = MOST_HEADER) -> WeightsFile:
    """The weights of a safetensors file, of a folder of shards with their index, or of a state dict
    (.pt, .pth, .th, .bin), written to `folder` / weights.safetensors by a sandboxed child.

    Raises UnsafeFileError for what is refused, SandboxError where reading meets a limit.
    """
    arguments = {"path": str(path.absolute()), "most_header": most_header}
    try:
        answer = run("weights", arguments, folder, limits_for(path), reads=path)
    except RefusedError as error:
        raise UnsafeFileError(str(error)) from error
    written = folder / WEIGHTS
    # what the child says was shaped by the file; what it wrote is checked like anybody's
    most = max(most_header, 4 * MOST_HEADER)
    return WeightsFile(
        written,
        Kind(str(answer["kind"])),
        read_header(written, most),
        {str(name): int(count) for name, count in answer["non_finite"].items()},
        tuple(
            (shown_name(str(name)), shown_name(str(why), 200)) for name, why in answer["left_out"]
        ),
    )


def limits_for(path: Path) -> Limits:
    """More time and more mapped memory for a larger file."""
    parts = path.glob("*.safetensors") if path.is_dir() else (path,)
    size = sum(part.stat().st_size for part in parts if part.is_file())
    seconds = size / BYTES_PER_SECOND
    return replace(
        OPENING,
        memory_bytes=OPENING.memory_bytes + size,
        address_bytes=OPENING.address_bytes + 2 * size,
        file_bytes=OPENING.file_bytes + 10 * size,
        seconds=OPENING.seconds + seconds,
        cpu_seconds=OPENING.cpu_seconds + seconds,
    )


def weights(path: str, most_header: int = MOST_HEADER) -> dict[str, Any]:
    """A task of the sandbox: write weights.safetensors to the current folder. Returns the kind,
    the tensors (name, type, shape), counts of non-finite values, and what was left out."""
    kind, sources, left_out = _sources(Path(path), most_header)
    target = Path(f"{WEIGHTS}.{os.getpid()}")  # another child may read the same file now
    target.unlink(missing_ok=True)
    non_finite = write_clean(target, sources)
    target.replace(WEIGHTS)
    tensors = [[source.name, source.dtype, list(source.shape)] for source in sources]
    return {
        "kind": kind.value,
        "tensors": tensors,
        "non_finite": non_finite,
        "left_out": left_out,
    }


def _sources(
    path: Path, most_header: int
) -> tuple[Kind, list[TensorSource], list[tuple[str, str]]]:
    if path.is_dir():
        return Kind.SAFETENSORS, sources_of_folder(path, most_header), []
    kind = check_kind(path)
    if kind is Kind.SAFETENSORS:
        return kind, sources_of_file(path, most_header), []
    if kind not in WEIGHT_KINDS:
        raise refuse(f"this is {kind.value}, no weights", "give safetensors or a state dict")
    read = read_torch_zip if kind is Kind.STATE_DICT else read_legacy_torch
    found, left_out = sources_of_state_dict(read(path))
    return kind, found, left_out
