"""The one training loop: an optimizer, a schedule, a loss, and hooks for what methods add.

The checkpoints in assets/ come from here and from nowhere else: the same seed gives the same
network on the same machine and torch version.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compress_core.events import Epoch, Silent, Watcher, event_from_json, event_to_json
from compress_core.measurement.accuracy import Stopped
from compress_core.training.batches import Batch, Batches
from compress_core.training.device import HOME, Mover
from compress_core.training.losses import Loss
from compress_core.training.settings import Settings
from compress_core.training.student import Student

STATE_FILE = "epoch.pt"


class Diverged(ValueError):  # noqa: N818  # as torch's users call it
    """The loss is not finite any more; nothing of the training is kept."""


@dataclass(frozen=True)
class Moment:
    """A moment of the training: the share of all steps that is `done`, what it was `before` the
    last step, and the learning rate of this step."""

    done: float
    before: float
    learning_rate: float


@dataclass(frozen=True)
class Done:
    """An epoch that is over, counted from 1: the mean loss of its batches, and its seconds."""

    epoch: int
    loss: float
    seconds: float


def _nothing(_student: Student, _moment: Moment) -> None:
    pass


@dataclass(frozen=True)
class Hooks:
    """What a method adds to the loop: `penalty` to the loss of each batch; `after_step` acts on
    the student after each step; `after_epoch` makes the event of an epoch, given the earlier ones;
    `after_batch` is told of the epoch (from 0), its fraction done, and the loss."""

    penalty: Callable[[Student], Tensor] | None = None
    after_step: Callable[[Student, Moment], None] = _nothing
    after_epoch: Callable[[Done, Sequence[Epoch]], Epoch] | None = None
    after_batch: Callable[[int, float, float], None] = lambda _epoch, _fraction, _loss: None


def train(
    student: Student,
    batches: Batches,
    settings: Settings,
    loss: Loss,
    *,
    epochs: int | None = None,
    hooks: Hooks | None = None,
    watcher: Watcher | None = None,
) -> tuple[Epoch, ...]:
    """Train a student in place; its module ends in evaluation mode.

    `epochs` ends before those of the settings are over. Returns the events of `after_epoch`.
    If the watcher has a folder, each epoch's state is kept there, and a training that broke off
    goes on from it to the same weights. Raises Stopped when the watcher asks for it, Diverged
    (ValueError) for a loss that is not finite.
    """
    run = _Run(student, batches, settings, watcher or Silent())
    run.go_on()
    hooks = hooks or Hooks()
    while run.epoch < (settings.epochs if epochs is None else epochs):
        done = run.one_epoch(loss, hooks)
        if hooks.after_epoch is not None:
            run.told.append(hooks.after_epoch(done, run.told))
        run.keep()
    student.finish()
    return tuple(run.told)


class _Run:
    """A training on its way: optimizer, schedule, generators, and the epochs done so far."""

    def __init__(
        self, student: Student, batches: Batches, settings: Settings, watcher: Watcher
    ) -> None:
        self.student, self.batches = student, batches
        self.settings, self.watcher = settings, watcher
        self.epoch, self.told = 0, list[Epoch]()
        self.total = settings.epochs * len(batches)
        self.optimizer = make_optimizer(student.parameters(), settings)
        self.schedule = make_schedule(self.optimizer, settings, self.total)

    def one_epoch(self, loss: Loss, hooks: Hooks) -> Done:
        start, losses = time.perf_counter(), []
        with torch.random.fork_rng():  # dropout draws from the global generator
            torch.manual_seed(self.batches.seed + self.epoch)
            for i, batch in enumerate(self.batches, start=1):
                losses.append(self._step(batch, loss, hooks, i))
                hooks.after_batch(self.epoch, i / len(self.batches), losses[-1])
                if self.watcher.stopped():
                    raise Stopped
        if not all(bool(p.isfinite().all()) for p in self.student.parameters()):
            raise self._diverged("weights are not finite")
        self.epoch += 1
        return Done(self.epoch, sum(losses) / len(losses), time.perf_counter() - start)

    def _step(self, batch: Batch, loss: Loss, hooks: Hooks, i: int) -> float:
        device = self.student.device
        batch = Mover(HOME, device)(batch)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.bfloat16):
            value = loss(self.student(batch.inputs).float(), batch)
        if hooks.penalty is not None:
            value = value + hooks.penalty(self.student)
        self.optimizer.zero_grad()
        value.backward()
        rate = self.optimizer.param_groups[0]["lr"]
        self.optimizer.step()
        self.schedule.step()
        self.student.settle()
        steps = self.epoch * len(self.batches) + i
        at = Moment(steps / self.total, (steps - 1) / self.total, rate)
        hooks.after_step(self.student, at)
        found = value.item()
        if not math.isfinite(found):
            raise self._diverged(f"the loss is {found}")
        return found

    def _diverged(self, what: str) -> Diverged:
        rate = self.settings.learning_rate
        return Diverged(
            f"{what} in epoch {self.epoch + 1}: training with learning_rate={rate:g} diverged, and "
            f"nothing of it is kept; take a smaller one, such as {rate / 10:g}"
        )

    @property
    def _file(self) -> Path | None:
        return self.watcher.folder / STATE_FILE if self.watcher.folder else None

    def keep(self) -> None:
        """Keep the state after an epoch, completely or not at all."""
        if self._file is None:
            return
        partial = self._file.with_suffix(".partial")
        torch.save(self._state(), partial)
        partial.replace(self._file)

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "told": [json.dumps(event_to_json(event)) for event in self.told],
            "student": self.student.state(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.batches.generator.get_state(),
        }

    def go_on(self) -> None:
        """Take up the state of an earlier run in the same folder, if there is one."""
        if self._file is None or not self._file.is_file():
            return
        state = torch.load(self._file, map_location=HOME, weights_only=True)
        self.student.set_state(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.batches.generator.set_state(state["generator"])
        self.epoch = state["epoch"]
        told = (event_from_json(json.loads(text)) for text in state["told"])
        self.told = [event for event in told if isinstance(event, Epoch)]


def make_optimizer(parameters: list[nn.Parameter], settings: Settings) -> torch.optim.Optimizer:
    lr, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay)
    return torch.optim.SGD(parameters, lr=lr, weight_decay=decay, momentum=0.9, nesterov=True)


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: Settings, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if settings.schedule == "cosine":
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps, pct_start=0.2
    )
