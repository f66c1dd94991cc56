"""What training makes smaller: the loss of the task, and what is added to it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_core.dataset import Dataset
from compress_core.inputs import call, count_rows, each, pick_output, take_rows
from compress_core.methods.retraining import Distil, distillation_loss
from compress_core.tasks import MetricName, Task, choose_metric, training_loss
from compress_core.training.batches import Batch

Loss = Callable[[Tensor, Batch], Tensor]  # of the output that counts; the mean over rows
TASTED = 2  # rows by whose outputs the metric is chosen


def task_loss(module: nn.Module, task: Task, data: Dataset) -> Loss:
    """Cross-entropy, squared error or the next token's loss, as the task says, or as outputs and
    labels do. Raises DataError where there are no labels to learn from."""
    rows = take_rows(data.inputs, slice(TASTED))
    with torch.no_grad():
        output = pick_output(call(module, rows), task.output)
    taste = Dataset(
        data.name, data.split, rows, None if data.labels is None else data.labels[:TASTED]
    )
    metric = choose_metric(task, output, taste).metric
    return lambda found, batch: metric_loss(metric, found, batch)


def metric_loss(metric: MetricName, output: Tensor, batch: Batch) -> Tensor:
    """The mean over rows of the loss that belongs to a metric."""
    if metric == "accuracy" and batch.labels is not None:
        return functional.cross_entropy(output, batch.labels)
    total = training_loss(metric, output, batch.labels, each(batch.inputs)[0])
    return total / count_rows(batch.inputs)


def distilled(loss: Loss, teacher: nn.Module, task: Task, step: Distil) -> Loss:
    """The loss with the teacher's softened answers beside the labels."""

    def both(output: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            taught = pick_output(call(teacher, batch.inputs), task.output)
        return distillation_loss(output, taught, loss(output, batch), step)

    return both
