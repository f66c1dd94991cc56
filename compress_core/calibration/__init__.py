"""What the layers of a model see on some training images, for methods that need data.

Collected with hooks on a private copy of the model when first asked for, for all layers in one
pass where memory allows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from compress_core.calibration.rows import chunks, input_rows, pick_rows
from compress_core.calibration.watching import BATCH, watch_inputs, watch_outputs
from compress_core.dataset import Dataset
from compress_core.equality import first_line
from compress_core.inputs import Inputs, count_rows, each, pick_output, split_rows
from compress_core.tasks import Task, choose_metric, training_loss
from compress_core.weights import Layer, with_weights

NO_GRADIENT = "the network cuts its gradient off, or does not use it"
MOST_ROWS = 2**14  # for one layer's gram; other images change it more than further rows do
GRAM_BYTES = 2**28  # of all grams that are kept at the same time


@dataclass(frozen=True, eq=False)
class Moments:
    """Σx / count and Σxxᵀ / count, float64, of the rows x (in,) that as_matrix(weight) multiplies.

    `mean` (in,), `gram` (in, in); for a convolution in groups (groups, in), (groups, in, in).
    """

    count: int
    mean: Tensor
    gram: Tensor


@dataclass(frozen=True, eq=False)
class Outputs:
    """Statistics of each output channel over images and positions, (out,) float64: mean, standard
    deviation (population) and `apoz`, the fraction of zeros.
    Source of APoZ: Hu et al. 2016, 1607.03250."""

    mean: Tensor
    std: Tensor
    apoz: Tensor


@dataclass(frozen=True, eq=False)
class _InputSums:
    """Σx and Σx² of the rows, (groups, in) float64, and the range of the inputs themselves."""

    count: int
    total: Tensor
    squares: Tensor
    low: float
    high: float

    def __add__(self, other: "_InputSums") -> "_InputSums":
        return _InputSums(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            min(self.low, other.low),
            max(self.high, other.high),
        )


class Calibration:
    """Statistics of a model's layers on `data`, a subset of the training images.

    Every question raises ValueError for a layer whose inputs (outputs) cannot be seen from outside.
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Mapping[str, Layer],
        data: Dataset,
        task: Task | None = None,
    ) -> None:
        self.data = data
        self._task = task or Task()
        self._module = module
        self._layers = layers
        self._multiplying = {k: v for k, v in layers.items() if not v.hides_inputs}
        self._grams: dict[str, Moments] = {}
        self._values: dict[int, dict[str, Tensor]] = {}

    def unseen_inputs(self, layer: str) -> str | None:
        """Why the inputs of a layer cannot be seen; None where they can."""
        return None if layer in self._input_sums else _why_unseen(self._layers[layer])

    def unseen_gradients(self, layer: str) -> str | None:
        """Why the loss has no gradient for a layer's weight; None where it has one."""
        return None if self._gradients[layer] is not None else NO_GRADIENT

    def means(self, layer: str) -> Tensor:
        """Σx / count of each input, (in,) or (groups, in), float64, over all rows."""
        sums = self._sums_of(layer)
        return _ungrouped(sums.total / sums.count)

    def mean_squares(self, layer: str) -> Tensor:
        """Σx² / count of each input, (in,) or (groups, in), float64: the diagonal of the gram."""
        sums = self._sums_of(layer)
        return _ungrouped(sums.squares / sums.count)

    def input_range(self, layer: str) -> tuple[float, float]:
        """The smallest and the largest input of a layer."""
        sums = self._sums_of(layer)
        return sums.low, sums.high

    def input_values(self, layer: str, limit: int = 2**16) -> Tensor:
        """About `limit` of a layer's inputs, evenly drawn from all images, (n,) float32; all of
        them where there are fewer."""
        self._sums_of(layer)
        if limit not in self._values:
            self._values[limit] = self._draw_values(limit)
        return self._values[limit][layer]

    def moments(self, layer: str) -> Moments:
        """Mean and gram of a layer's input rows, of at most about MOST_ROWS drawn from all images.

        Kept for as many neighbouring layers as fit in GRAM_BYTES: ask in the layers' order.
        """
        self._sums_of(layer)
        grams = self._grams
        if layer not in grams:
            grams = self._grams = self._collect_moments(self._neighbours(layer))
        return grams[layer]

    def outputs(self, layer: str) -> Outputs:
        """Statistics of a layer's output channels, after the non-linearity that follows it."""
        if layer not in self._outputs:
            raise ValueError(_unseen("outputs", self._layers[layer]))
        return self._outputs[layer]

    def gradients(self, layer: str) -> Tensor:
        """∂L/∂w of a layer's weight, in its shape: L is the mean loss of the network's task
        on the data: cross-entropy of classes and tokens, squared error of numbers."""
        found = self._gradients[layer]
        if found is None:
            raise ValueError(_unseen("gradients", self._layers[layer]))
        return found

    def _sums_of(self, layer: str) -> _InputSums:
        if layer not in self._input_sums:
            raise ValueError(_unseen("inputs", self._layers[layer]))
        return self._input_sums[layer]

    @cached_property
    def _input_sums(self) -> dict[str, _InputSums]:
        sums: dict[str, _InputSums] = {}

        def add(layer: str, module: nn.Module, inputs: Tensor) -> None:
            found = _sum_inputs(module, inputs)
            sums[layer] = sums[layer] + found if layer in sums else found

        watch_inputs(self._module, self._multiplying, self.data.inputs, add)
        return sums

    def _draw_values(self, limit: int) -> dict[str, Tensor]:
        drawn: dict[str, list[Tensor]] = {layer: [] for layer in self._input_sums}
        generator = torch.Generator().manual_seed(0)

        def draw(layer: str, _module: nn.Module, inputs: Tensor) -> None:
            values = inputs.reshape(1, -1, 1)
            share = limit * len(inputs) / len(self.data) / values.numel()
            drawn[layer].append(pick_rows(values, share, generator).flatten())

        layers = {layer: self._layers[layer] for layer in drawn}
        watch_inputs(self._module, layers, self.data.inputs, draw)
        return {layer: torch.cat(parts) for layer, parts in drawn.items()}

    def _neighbours(self, layer: str) -> list[str]:
        """The layers, this one among them, whose grams are collected and kept together."""
        group: list[str] = []
        used = 0
        for name, sums in self._input_sums.items():
            needed = sums.total.numel() * sums.total.shape[-1] * 8
            if used + needed > GRAM_BYTES and group:
                if layer in group:
                    break
                group, used = [], 0
            group, used = [*group, name], used + needed
        return group

    def _collect_moments(self, names: list[str]) -> dict[str, Moments]:
        counts = dict.fromkeys(names, 0)
        sums = {name: torch.zeros_like(self._input_sums[name].total) for name in names}
        products = {name: torch.zeros(*s.shape, s.shape[-1]).double() for name, s in sums.items()}
        generator = torch.Generator().manual_seed(0)

        def add(layer: str, module: nn.Module, inputs: Tensor) -> None:
            share = MOST_ROWS / self._input_sums[layer].count
            for part in chunks(module, inputs):
                rows = pick_rows(input_rows(module, part), share, generator).double()
                counts[layer] += rows.shape[1]
                sums[layer] += rows.sum(1)
                products[layer] += rows.mT @ rows

        watch_inputs(self._module, {n: self._layers[n] for n in names}, self.data.inputs, add)
        return {
            name: Moments(count, _ungrouped(sums[name] / count), _ungrouped(products[name] / count))
            for name, count in counts.items()
        }

    @cached_property
    def _outputs(self) -> dict[str, Outputs]:
        found: dict[str, list[tuple[int, Tensor]]] = {}

        def add(layer: str, module: nn.Module, outputs: Tensor) -> None:
            axis = 1 if isinstance(module, nn.Conv1d | nn.Conv2d) else -1
            channels = outputs.movedim(axis, 0).flatten(1).double()  # (out, n)
            parts = (channels.sum(1), channels.square().sum(1), channels.eq(0).sum(1))
            found.setdefault(layer, []).append((channels.shape[1], torch.stack(parts)))

        watch_outputs(self._module, self._multiplying, self.data.inputs, add)
        return {layer: _summarize(parts) for layer, parts in found.items()}

    @cached_property
    def _gradients(self) -> dict[str, Tensor | None]:
        keys = [layer.key for layer in self._layers.values()]
        module = with_weights(
            self._module, {v.key: v.network_weight.clone() for v in self._layers.values()}
        )
        weights = {key: module.get_parameter(key).requires_grad_(True) for key in keys}
        with torch.inference_mode(False), torch.enable_grad():
            start = 0
            for inputs in split_rows(self.data.inputs, BATCH):
                rows = slice(start, start + count_rows(inputs))
                self._add_gradients(module, inputs, rows)
                start = rows.stop
        return {name: _gradient_of(la, weights[la.key]) for name, la in self._layers.items()}

    def _add_gradients(self, module: nn.Module, inputs: Inputs, rows: slice) -> None:
        """Raises ValueError where the network cannot be derived, as where it writes to what its
        gradient needs."""
        try:
            given = module(*(tensor.clone() for tensor in each(inputs)))  # it may write to them
            (self._loss(given, inputs, rows) / len(self.data)).backward()
        except ValueError:
            raise  # in words already
        except Exception as error:  # of torch, or of the network's own code
            raise ValueError(
                f"this {type(module).__name__} does not run with gradients ({first_line(error)}); "
                "choose an importance that needs none, such as l1"
            ) from error

    def _loss(self, given: Any, inputs: Inputs, rows: slice) -> Tensor:
        """The sum of the loss of the network's task over some rows of the data."""
        output = pick_output(given, self._task.output)
        metric = choose_metric(self._task, output, self.data).metric
        labels = None if self.data.labels is None else self.data.labels[rows]
        return training_loss(metric, output, labels, each(inputs)[0])


def _gradient_of(layer: Layer, weight: Tensor) -> Tensor | None:
    """In the shape of the layer's weight; that of a lookup with sparse=True is made dense."""
    return None if weight.grad is None else layer.outputs_first(weight.grad.to_dense())


def _sum_inputs(module: nn.Module, inputs: Tensor) -> _InputSums:
    """Sums of the rows. As unfolding is linear, images are summed first and unfolded once."""
    wide = inputs.double()
    total, squares = (input_rows(module, x.sum(0, keepdim=True)) for x in (wide, wide.square()))
    return _InputSums(
        total.shape[1] * len(inputs),
        total.sum(1),
        squares.sum(1),
        float(inputs.min()),
        float(inputs.max()),
    )


def _summarize(parts: list[tuple[int, Tensor]]) -> Outputs:
    """Statistics from each batch's row count and its (Σy, Σy², number of zeros), each (out,)."""
    count = sum(n for n, _ in parts)
    mean, squares, apoz = torch.stack([sums for _, sums in parts]).sum(0) / count
    return Outputs(mean, (squares - mean.square()).clamp(min=0).sqrt(), apoz)


def _ungrouped(tensor: Tensor) -> Tensor:
    """Without the first dimension, groups, where there is one group only."""
    return tensor[0] if len(tensor) == 1 else tensor


def _unseen(what: str, layer: Layer) -> str:
    why = NO_GRADIENT if what == "gradients" else _why_unseen(layer)
    return f"{layer.name} has no {what} to calibrate on: {why}; leave it out (layers=…)"


def _why_unseen(layer: Layer) -> str:
    around = "the module around it reads the weight itself, or does not use it"
    return layer.hides_inputs or around
