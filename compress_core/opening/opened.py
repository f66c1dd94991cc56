"""An opened network as the rest of the library meets it: its weights, and who runs it elsewhere."""

from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from compress_core.dataset import Dataset
from compress_core.measurement.scores import Judge
from compress_core.opening.facts import WEIGHTS, Facts, Port
from compress_core.opening.skeleton import Skeleton, build_skeleton
from compress_core.original import MEMO_ENTRIES, Elsewhere, Memo, Original
from compress_core.tasks import Kind, Task
from compress_core.weights import Reads

MOST_BYTES = 2 * 10**9  # of its weights as float32
MOST_NUMBERS = 2**26  # in one input
LEAST_KEPT, KEPT_NUMBERS = 8, 2**28  # results made from its layers: entries, and their weights
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
        skeleton = _skeleton(folder, facts)
        task = Task(KINDS.get(facts.metric, "agreement"), facts.output)
        examples = tuple(map(_example, facts.examples)) or (torch.zeros(1, 1),)
        super().__init__(skeleton, example=examples, name=name, task=task)
        largest = max(layer.weight.numel() for layer in self.layers.values())
        self.memo = Memo(max(LEAST_KEPT, min(MEMO_ENTRIES, KEPT_NUMBERS // largest)))
        self.facts = facts
        self.elsewhere = elsewhere
        self.own_types = {key: _type_called(dtype) for key, dtype in facts.own_types.items()}
        self.digest = digest_of(folder, facts)
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


def digest_of(folder: Path, facts: Facts) -> str:
    """The key of its results. What the sandbox says alone would let a stranger's network take the
    place of another one."""
    return sha256(f"{folder.name} {facts.digest}".encode()).hexdigest()


def _skeleton(folder: Path, facts: Facts) -> Skeleton:
    """Raises ValueError for whatever a folder may hold that is not ours."""
    file = folder / WEIGHTS
    try:
        if file.is_symlink() or file.stat().st_size > MOST_BYTES:
            raise ValueError(f"{WEIGHTS} is larger than {MOST_BYTES:,} bytes, or a link")
        tensors = load(file.read_bytes())  # not mapped: a file that shrinks would end the process
        for key, twins in facts.tied.items():
            tensors |= dict.fromkeys(twins, tensors[key])
        return build_skeleton(facts.modules, tensors, set(facts.parameters))
    except (OSError, SafetensorError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{facts.title} is damaged ({error}); open its file again") from error


def _example(port: Port) -> Tensor:
    sizes = [size if isinstance(size, int) else 1 for size in port.shape]
    if min(sizes, default=0) < 0 or prod(sizes) > MOST_NUMBERS:
        raise ValueError(f"an input of the sizes {sizes[:8]} is not taken; open the file again")
    return torch.zeros(sizes, dtype=_type_called(port.dtype))


def _type_called(name: str) -> torch.dtype:
    found: Any = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{name[:40]!r} is no type of torch; open the file again")
    return found
