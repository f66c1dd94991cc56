"""What the events of a training say: which step it is at, and how long it takes still."""

from collections.abc import Sequence

from compress_core.events import Epoch, Event, Progress


def runs(events: Sequence[Event]) -> list[tuple[Epoch, ...]]:
    """The epochs of each training step, one after the other; epochs count from 1 in each."""
    found: list[tuple[Epoch, ...]] = []
    for event in events:
        if not isinstance(event, Epoch):
            continue
        if found and found[-1][-1].step == event.step and found[-1][-1].epoch < event.epoch:
            found[-1] = (*found[-1], event)
        else:
            found.append((event,))
    return found


def last_progress(events: Sequence[Event]) -> Progress | None:
    """The latest of the events that say how far the work is."""
    told = (event for event in reversed(events) if isinstance(event, Progress))
    return next(told, None)


def present_run(events: Sequence[Event]) -> tuple[Epoch, ...]:
    """The epochs of the step that is being trained; none before its first is over."""
    found, progress = runs(events), last_progress(events)
    if not found or (progress and _is_of_another(progress, found[-1][-1].step)):
        return ()
    return found[-1]


def _is_of_another(progress: Progress, step: str) -> bool:
    """Whether another step is trained by now; what is not about a step says nothing of it."""
    named, colon, _ = progress.text.rpartition(": ")
    return bool(colon) and named != step


def seconds_left(events: Sequence[Event]) -> float | None:
    """Of the step that is being trained, by its epochs so far; None before the first is over."""
    run, progress = present_run(events), last_progress(events)
    if not run:
        return None
    done = max(run[-1].epoch / run[-1].epochs, progress.fraction if progress else 0.0)
    mean = sum(epoch.seconds for epoch in run) / len(run)
    return (1 - min(done, 1.0)) * run[-1].epochs * mean
