"""An opened network as the rest of the library meets it: its weights, and who runs it elsewhere."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from compress_core.dataset import Dataset
from compress_core.measurement.scores import Judge
from compress_core.opening.facts import WEIGHTS, Facts, Port
from compress_core.opening.skeleton import build_skeleton
from compress_core.original import Elsewhere, Original
from compress_core.tasks import Kind, Task
from compress_core.weights import Reads

KINDS: dict[str, Kind] = {
    "accuracy": "classification",
    "relative_error": "regression",
    "perplexity": "next_token",
}


class Opened(Original):
    """A network of other people: its layers can be compressed here, and `elsewhere` runs it.

    `facts` is what the sandbox found; without `elsewhere` nothing of it is ever run. Raises
    ValueError where its folder is damaged.
    """

    def __init__(
        self, folder: Path, facts: Facts, name: str, elsewhere: Elsewhere | None = None
    ) -> None:
        tensors = load_file(folder / WEIGHTS)
        for key, twins in facts.tied.items():
            tensors |= dict.fromkeys(twins, tensors[key])
        skeleton = build_skeleton(facts.modules, tensors, set(facts.parameters))
        task = Task(KINDS.get(facts.metric, "agreement"), facts.output)
        examples = tuple(map(_example, facts.examples)) or (torch.zeros(1, 1),)
        super().__init__(skeleton, example=examples, name=name, task=task)
        self.facts = facts
        self.elsewhere = elsewhere
        self.own_types = {key: _type_called(dtype) for key, dtype in facts.own_types.items()}
        self.digest = facts.digest
        self.stored_bytes = facts.stored_bytes
        self.reads = Reads(facts.reads_weights, facts.reads_attributes)

    def _check_runs(self) -> None:
        """It ran in the sandbox."""

    def judge(self, data: Dataset) -> Judge:
        """By which metric it is judged on its data, as the sandbox found. Raises DataError where it
        does not run."""
        facts = self.facts
        return Judge(facts.metric_name, facts.reason, facts.output, data, facts.batch)

    def training_data(self) -> Dataset:
        raise ValueError(
            f"{self.facts.title} is somebody else's network, and this step would run it in this "
            "process; choose a step that looks at the weights alone, or start with --model, which "
            "trusts a network"
        )


def _example(port: Port) -> Tensor:
    sizes = [size if isinstance(size, int) else 1 for size in port.shape]
    return torch.zeros(sizes, dtype=_type_called(port.dtype))


def _type_called(name: str) -> torch.dtype:
    found: Any = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{name[:40]!r} is no type of torch; open the file again")
    return found
