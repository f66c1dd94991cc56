"""Train the steps of a recipe that train, one after the other, and keep what they give."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from compress_core.compressed import Act, Compressed, compress, run_stage
from compress_core.entering.copying import copy_network
from compress_core.events import Epoch, Event, Progress, Silent, Watcher
from compress_core.methods.retraining import Distil, Rewind
from compress_core.network import Network
from compress_core.original import Original
from compress_core.recipe import Recipe, format_step, split_stages
from compress_core.storage.streams import StoredWeight
from compress_core.trained import NotTrained, Result, keep_result, result_key
from compress_core.training.batches import Batches
from compress_core.training.device import HOME
from compress_core.training.frames import limits_of, sparsity_of, take_frames
from compress_core.training.loop import STATE_FILE, Done, Hooks, train
from compress_core.training.losses import Loss, distilled, task_loss
from compress_core.training.methods import TrainingStep, constraint_of, hooks_of, settings_for
from compress_core.training.rewinding import begin_again, fresh_network
from compress_core.training.settings import Settings, settings_of
from compress_core.training.student import Student
from compress_core.training.validation import Validation
from compress_core.writing import write_file

BEST_FILE = "best.safetensors"
PATIENCE_S = 0.25  # between two reports of a batch


def train_steps(
    original: Original, recipe: Recipe, *, watcher: Watcher | None = None
) -> Compressed:
    """The recipe's result, with every step trained that was not trained yet; the results are kept.

    Raises as `compress` does; Stopped when the watcher asks for it (the best epoch so far is then
    in its folder); Diverged for a loss that is not finite; WriteError where nothing can be kept.
    """
    watcher = watcher or Silent()
    while True:
        try:
            return compress(original, recipe)
        except NotTrained as untrained:
            train_step(original, untrained.recipe, watcher)


def train_step(original: Original, recipe: Recipe, watcher: Watcher) -> Result:
    """Train the last step of a recipe, all others being trained already, and keep what it gives."""
    key = result_key(original, recipe)
    folder = watcher.folder / key if watcher.folder else None
    result = _Training(original, recipe, Told(watcher, folder, recipe)).run()
    keep_result(key, result, recipe)
    return result


class Told:
    """Passes events of one step on to whom started the work, and not too many of them."""

    def __init__(self, watcher: Watcher, folder: Path | None, recipe: Recipe) -> None:
        self.folder, self._watcher = folder, watcher
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._step: Any = recipe[-1]
        self._last = 0.0

    def report(self, event: Event) -> None:
        self._watcher.report(event)

    def stopped(self) -> bool:
        return self._watcher.stopped()

    def batch(self, epoch: int, fraction: float, loss: float) -> None:
        """A batch is over: tell how far the step is."""
        text = f"epoch {epoch + 1} of {self._step.epochs}, loss {loss:.4g}"
        self._tell(fraction, (epoch + fraction) / self._step.epochs, text)

    def early_batch(self, epoch: int, fraction: float, _loss: float) -> None:
        """The same, while the network is trained to the epoch that a ticket begins with."""
        text = f"early epoch {epoch + 1} of {self._step.early_epochs}, before the first"
        self._tell(fraction, 0.0, text)

    def _tell(self, fraction: float, done: float, text: str) -> None:
        if fraction == 1 or time.monotonic() - self._last >= PATIENCE_S:
            self._last = time.monotonic()
            self.report(Progress(done, f"{format_step(self._step)}: {text}"))


class _Training:
    """One training step on its way, from the network before it to its result."""

    def __init__(self, original: Original, recipe: Recipe, told: Told) -> None:
        self.original, self.recipe, self.told = original, recipe, told
        self.act = act_before(original, recipe)
        self.network: Network = self.act.before
        self.step = cast(TrainingStep, self.act.step)
        self.data = original.training_data()
        self.validation = Validation.of(original, self.data)
        self.student = Student.of(self.network, self.act.names, constraint_of(self.step))
        self.limits = limits_of(self.student.stored())

    def run(self) -> Result:
        loss = self._loss()
        if isinstance(self.step, Rewind) and not self._goes_on():
            self._rewind(self.step, loss)
        settings = self._settings()
        rows = self.validation.training_rows
        epochs = train(
            self.student,
            Batches(self.data, settings, seed=self.step.seed, rows=rows),
            settings,
            loss,
            hooks=replace(
                hooks_of(self.step, self.student),
                after_epoch=self._after_epoch,
                after_batch=self.told.batch,
            ),
            watcher=self.told,
        )
        return Result(self._made(self.student.stored()).readable.raw, epochs)

    def _goes_on(self) -> bool:
        """Whether an earlier run of this training has left a state to go on from."""
        return self.told.folder is not None and (self.told.folder / STATE_FILE).is_file()

    def _rewind(self, step: Rewind, loss: Loss) -> None:
        fresh = fresh_network(self.network, step)
        if step.early_epochs:
            settings = settings_of(self.network.base.name)
            folder = self.told.folder / "early" if self.told.folder else None
            train(
                Student(fresh),
                Batches(self.data, settings),
                settings,
                loss,
                epochs=step.early_epochs,
                hooks=Hooks(after_batch=self.told.early_batch),
                watcher=Told(self.told, folder, self.recipe),
            )
        begin_again(self.student, self.network, self.act.names, fresh)

    def _settings(self) -> Settings:
        coded = any(self.network.layers[name].codes for name in self.act.names)
        return settings_for(self.step, self.original.name, coded=coded)

    def _loss(self) -> Loss:
        task = self.network.base.task
        loss = task_loss(self.network.base.module, task, self.data)
        if isinstance(self.step, Distil):
            teacher = self.original.module
            if self.student.device != HOME:
                teacher = copy_network(teacher).to(self.student.device)
            return distilled(loss, teacher, task, self.step)
        return loss

    def _after_epoch(self, done: Done, before: Sequence[Epoch]) -> Epoch:
        weights = self.student.stored()
        made = self._made(weights)
        score = self.validation.score(self.student.snapshot())
        epoch = Epoch(
            step=format_step(self.step),
            epoch=done.epoch,
            epochs=self.step.epochs,
            loss=done.loss,
            accuracy=score,
            sparsity=sparsity_of(weights),
            seconds=done.seconds,
            frames=take_frames(weights, self.limits),
            stored_bytes=made.stored_bytes,
        )
        self.told.report(epoch)
        is_best = all(self.validation.is_better(score, earlier.accuracy) for earlier in before)
        if is_best and self.told.folder:
            write_file(self.told.folder / BEST_FILE, made.readable.raw)
        return epoch

    def _made(self, weights: Mapping[str, StoredWeight]) -> Compressed:
        """The network with these weights, in the forms that its layers had."""
        layers = {
            name: replace(
                stored,
                weights=tuple(weights[key] for key in stored.weight_keys),
                bias=None,
                inputs=None,
            )
            for name, stored in self.network.layers.items()
        }
        after = replace(self.network, layers=layers, rest=self.student.rest(), coded={})
        act = replace(self.act, after=after)
        return Compressed(self.original, self.recipe, (act,), ())


def act_before(original: Original, recipe: Recipe) -> Act:
    """How the last step of a recipe, which trains, acts: the layers that it trains, and the network
    that it is given."""
    stage = split_stages(recipe)[-2]
    before = compress(original, recipe[: len(recipe) - len(stage)]).network
    acts, _ = run_stage(before, stage, lambda network: network)
    return acts[-1]
