"""What long work tells of itself on its way: typed, flat, the same in a file and on a screen."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Progress:
    """How far the whole work is: `fraction` in [0, 1], and in a few words what is done now."""

    fraction: float
    text: str


@dataclass(frozen=True)
class Frame:
    """A layer after an epoch, small enough for a time-lapse.

    `counts` of the weights in equal bins from `low` to `high`, zeros left out; `sparsity` the
    fraction of zeros; `codebook` the shared values, empty for other layers.
    """

    layer: str
    low: float
    high: float
    counts: tuple[int, ...]
    sparsity: float
    codebook: tuple[float, ...] = ()


@dataclass(frozen=True)
class Epoch:
    """One epoch of a training step is over: the `epoch`-th of `epochs`, counted from 1.

    `step` is the text of the training step. `loss` is the mean over the epoch's batches,
    `accuracy` the score on training images that are held out, `seconds` what the epoch took,
    `stored_bytes` the file's size by now (None: trained before that was told).
    """

    step: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    sparsity: float
    seconds: float
    frames: tuple[Frame, ...] = ()
    stored_bytes: int | None = None


Event = Progress | Epoch
NAMES: dict[str, type[Event]] = {"progress": Progress, "epoch": Epoch}


def event_to_json(event: Event) -> dict[str, Any]:
    """An event as JSON-ready data: {"event": "progress", "fraction": 0.5, "text": "…"}."""
    name = next(name for name, kind in NAMES.items() if type(event) is kind)
    return {"event": name, **asdict(event)}


def event_from_json(data: dict[str, Any]) -> Event:
    """The event in such data. Raises KeyError or TypeError for anything else."""
    fields = {name: value for name, value in data.items() if name != "event"}
    if "frames" in fields:
        frames = [{**frame, "counts": tuple(frame["counts"])} for frame in fields["frames"]]
        fields["frames"] = tuple(
            Frame(**{**frame, "codebook": tuple(frame["codebook"])}) for frame in frames
        )
    return NAMES[data["event"]](**fields)


class Watcher(Protocol):
    """Who started long work: is told of events, may end it, and has a folder to go on from."""

    @property
    def folder(self) -> Path | None:
        """Where the work keeps what it needs to go on after a break; None: it keeps nothing."""
        ...

    def report(self, event: Event) -> None: ...

    def stopped(self) -> bool:
        """Whether to end as soon as possible; asked after every batch."""
        ...


@dataclass(frozen=True)
class Silent:
    """A watcher that only passes events on."""

    tell: Callable[[Event], None] = lambda _event: None
    folder: Path | None = None

    def report(self, event: Event) -> None:
        self.tell(event)

    def stopped(self) -> bool:
        return False
