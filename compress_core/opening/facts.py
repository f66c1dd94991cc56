"""What is known of an opened network: the file `opened.json` in its folder.

The sandboxed child writes it, the server reads it. It holds texts and numbers alone, and a reader
refuses whatever is not of the types below.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from compress_core.dataset import DataError
from compress_core.tasks import METRICS, MetricName

FACTS, WEIGHTS, SOURCE = "opened.json", "layers.safetensors", "source"
DATA, CALIBRATION = "data.safetensors", "calibration.safetensors"  # what is measured on, and not
VERSION = 1
T = TypeVar("T")
MOST_BYTES = 64 * 2**20  # of opened.json: a network of 20,000 layers has some megabytes


@dataclass(frozen=True)
class Port:
    """An input or output: its name in the file, type, and shape; a free size is a name or None."""

    name: str
    dtype: str
    shape: tuple[int | str | None, ...]


@dataclass(frozen=True)
class Facts:
    """An opened network.

    `title` is what its file was called, `digest` the key of its results, `kind` what the file was.
    `modules`, `parameters` and `tied` are its structure (see `skeleton`), `own_types` the types
    that its float32 tensors came in, `stored_bytes` its weights in these. `examples` are the types
    and shapes (1, …) of one input each. `reads_*` as in `weights.Reads`, `macs` those of each
    module for one input. `why_not_run` says why there are only weights, where there are only
    weights; else `difference` is the largest one from onnxruntime, as a fraction of the output's
    range, None where nothing was there to compare with. `metric`, `reason`, `output` and `batch`
    are those of its `Judge`. `data` says in sentences on what it is judged, `generated` whether
    these are inputs that nobody gave. `seconds` is the time of one row, `notes` what else is to
    be said. `calibrates` tells whether rows were put aside for steps to look at. `data_file`, in
    the folder, `data_title` and `normalization` are what the person gave, `architecture` is the
    reference network that it runs as.
    """

    title: str
    digest: str
    kind: str
    source_bytes: int
    stored_bytes: int
    modules: list[dict[str, Any]]
    parameters: list[str]
    tied: dict[str, list[str]]
    own_types: dict[str, str]
    examples: list[Port]
    inputs: list[Port]
    outputs: list[Port]
    reads_weights: dict[str, str] = field(default_factory=dict)
    reads_attributes: dict[str, str] = field(default_factory=dict)
    macs: dict[str, int] = field(default_factory=dict)
    why_not_run: str = ""
    difference: float | None = None
    foreign: list[str] = field(default_factory=list)
    metric: str = ""
    reason: str = ""
    output: str | int | None = None
    batch: int = 1
    data: list[str] = field(default_factory=list)
    generated: bool = False
    calibrates: bool = False
    data_file: str = ""
    data_title: str = ""
    normalization: str | None = None
    architecture: str = ""
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    version: int = VERSION

    @property
    def runs(self) -> bool:
        """Whether there is a network around the weights."""
        return not self.why_not_run

    @property
    def metric_name(self) -> MetricName:
        """Its metric. Raises DataError where it does not run, and so has none."""
        found = next((name for name in METRICS if name == self.metric), None)
        if found is None:
            raise DataError(f"{self.title} is not measured: {self.why_not_run or 'it has no data'}")
        return found


def write_facts(facts: Facts, folder: Path) -> None:
    (folder / FACTS).write_text(json.dumps(asdict(facts)))


def read_facts(folder: Path) -> Facts:
    """Raises ValueError where the folder has none, or others than ours."""
    try:
        raw = (folder / FACTS).read_bytes()[: MOST_BYTES + 1]
        found = json.loads(raw) if len(raw) <= MOST_BYTES else None
        return _checked(Facts, found)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"this opened network cannot be read any more ({error}); open its file again"
        ) from error


def _checked(kind: type[T], found: Any) -> T:
    """`found`, JSON, as a dataclass of this kind, every field of the type that it has there."""
    types = get_type_hints(kind)
    if not isinstance(found, dict) or not found.keys() <= types.keys():
        raise ValueError(f"no {kind.__name__}")
    return kind(**{name: _value(types[name], value) for name, value in found.items()})


def _value(kind: Any, value: Any) -> Any:
    origin, parts = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if kind is Port:
        return _checked(Port, value)
    if origin is list and isinstance(value, list):
        return [_value(parts[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {_value(parts[0], key): _value(parts[1], item) for key, item in value.items()}
    if origin is tuple and isinstance(value, list):
        return tuple(_value(parts[0], item) for item in value)
    plain = parts if parts and origin is not list else (kind,)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) in plain:
        return value
    raise ValueError(f"{str(value)[:40]!r} is no {kind}")
