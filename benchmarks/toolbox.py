"""Every method on mnist-lenet-5 and on a network of ResNet-18's shape, and against its peers.

Each call starts from a fresh model: no profile, no calibration, no memo. The images for calibration
are in memory. To the weights: what is evaluated; to the file: all that our container then adds.
Peers get the same tensors in the same run, ours and theirs in turns.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import torch
import torch_pruning
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torch.nn.utils import prune

from benchmarks import coders, resnet
from benchmarks.table import Lap, Row, duration, row, show, timed
from compress_core import (
    Factorize,
    Original,
    Prune,
    Quantize,
    Recipe,
    compress,
    load_dataset,
    load_model,
)
from compress_core.command_line.console import print_table
from compress_core.data import is_available
from compress_core.measurement.cost import layer_macs
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.pruning import PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    Binarize,
    CorrectBias,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    Ternarize,
)
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import Init, ShareWeights, share, sse
from compress_core.search.sweep import families

MODEL = "mnist-lenet-5"
COLUMNS = (
    "method",
    "runs",
    "to the weights",
    "processor",
    "target",
    "",
    "then to the file",
    "bytes",
)
RUNS, CLUSTERS = 3, 16
STRUCTURED = ("fold", "channels")  # of these the target is larger on LeNet-5
COMPARED: dict[str, Recipe] = {
    "fold batch norms": (FoldBatchNorm(),),
    "channels 50 %, L2": (PruneStructured(0.5),),
    "channels 50 %, Taylor": (PruneStructured(0.5, "taylor"),),
    "channels 50 %, activation": (PruneStructured(0.5, "std"),),
    "factorize, 90 % energy": (Factorize(energy=0.9),),
    "factorize, half the weights": (Factorize(budget=0.5),),
    "factorize, spatial": (Factorize(energy=0.9, form="spatial"),),
    "factorize, Tucker-2": (Factorize(energy=0.9, form="tucker"),),
    "factorize, whitened": (Factorize(energy=0.9, whiten=True),),
    "prune 90 %": (Prune(sparsity=0.9),),
    "prune 90 % of each layer": (Prune(sparsity=0.9, scope="layer"),),
    "prune 90 % at random": (RandomPrune(0.9),),
    "prune 2:4": (PruneNM(),),
    "prune 90 %, Taylor": (PruneTaylor(0.9),),
    "prune 90 %, Wanda": (PruneWanda(0.9),),
    "quantize 8 bit": (Quantize(),),
    "quantize 4 bit, least error": (Quantize(4, clipping="mse"),),
    "quantize 4 bit in groups": (Quantize(4, granularity="group"),),
    "quantize to fp8": (QuantizeFloat("fp8_e4m3"),),
    "quantize to nf4": (QuantizeFloat("nf4"),),
    "binarize": (Binarize(),),
    "ternarize": (Ternarize(),),
    "quantize 4 bit, GPTQ": (QuantizeGPTQ(4),),
    "4 bit, bias correction": (Quantize(4), CorrectBias()),
    "quantize inputs to 8 bit": (QuantizeActivations(),),
    "share 16 values": (ShareWeights(CLUSTERS),),
    "share 16 values, linear start": (ShareWeights(CLUSTERS, "linear"),),
}
Make = Callable[[], Original]


def run() -> None:
    networks: dict[str, Make] = {"resnet18": resnet.original}
    if is_available("mnist"):
        networks = {MODEL: lenet} | networks
    else:
        print(f"\ntoolbox: {MODEL} skipped; `python -m compress_core data mnist` gets its data")
    for name, make in networks.items():
        methods(name, make, runs=RUNS if name == MODEL else 1)
    for name, make in networks.items():
        peers(name, make())
    for name, make in networks.items():
        coders.run(name, make())


def lenet() -> Original:
    """With its training images in memory."""
    found = load_model(MODEL)
    found.calibration = load_dataset("mnist", "train")
    return found


@dataclass(frozen=True)
class Found:
    """One method: the way to the weights, then to the file, and the file's bytes."""

    weights: Lap
    file: Lap
    stored_bytes: int


def methods(name: str, make: Make, *, runs: int) -> None:
    """The table of all methods that fit this network."""
    lines, refusals = [], []
    for method, recipe in COMPARED.items():
        small = 2.0 if method.startswith(STRUCTURED) else 1.0
        try:
            found = [measure(make(), recipe) for _ in range(runs)]
        except ValueError as error:
            refusals.append(f"{method}: {error}")
        else:
            lines.append(line(method, found, small if name == MODEL else 10.0))
    print()
    print_table(COLUMNS, lines, title=f"toolbox: every method on {name}")
    for refusal in refusals:
        print(f"left out, {refusal}")


def measure(original: Original, recipe: Recipe) -> Found:
    fitting = fit(original, recipe)
    compressed, made = timed(lambda: compress(original, fitting))
    _, built = timed(lambda: compressed.module)
    stored, filed = timed(lambda: compressed.stored_bytes)
    whole = Lap(made.wall + built.wall, made.interpreter + built.interpreter)
    return Found(whole, filed, stored)


def line(method: str, found: Sequence[Found], target: float) -> tuple[str, ...]:
    """Over its target, or only slowed by what else this machine does."""
    wall, processor = (
        median(getattr(each.weights, clock) for each in found) for clock in ("wall", "interpreter")
    )
    late = "" if wall <= target else "busy machine" if processor <= target else "over"
    return (
        method,
        str(len(found)),
        duration(wall),
        duration(processor),
        f"<= {target:g} s",
        late,
        duration(median(each.file.wall for each in found)),
        f"{found[0].stored_bytes:,}",
    )


def fit(original: Original, recipe: Recipe) -> Recipe:
    """A form of kernels named for the layers that have some."""
    (step, *_) = recipe
    if not isinstance(step, Factorize) or step.form == "channel":
        return recipe
    (example,) = families(original)[step.form].recipes[0]
    return (replace(step, layers=example.layers),)


def peers(name: str, original: Original) -> None:
    """Ours beside what people use today."""
    rows = [*pruning(original), *structured(original), *sharing(original)]
    show(f"toolbox: {name} against the peers, on the same tensors", rows)


def pruning(original: Original) -> list[Row]:
    """Global magnitude pruning to 90 %: cold, and once the profiles are there."""
    theirs, cold, warm = [], [], []
    for i in range(RUNS):
        theirs.append(timed(partial(torch_prune, plain_copy(original), 0.9))[1])
        fresh = original.with_module(original.module)
        cold.append(timed(partial(prune_weights, fresh, 0.9))[1])
        warm.append(timed(partial(prune_weights, fresh, 0.8 + i / 100))[1])
    return [
        row("prune 90 %: torch.nn.utils.prune.global_unstructured", theirs),
        row("  ours, first", cold, plain=theirs),
        row("  ours, at another sparsity", warm, plain=theirs),
    ]


def plain_copy(original: Original) -> nn.Module:
    """The same tensors as the peers take them: contiguous, and with gradients to trace."""
    network = copy.deepcopy(original.module)
    for parameter in network.parameters():
        parameter.requires_grad_()
        parameter.data = parameter.data.contiguous(memory_format=torch.contiguous_format)
    return network


def prune_weights(original: Original, sparsity: float) -> nn.Module:
    return compress(original, (Prune(sparsity=sparsity),)).module


def torch_prune(network: nn.Module, sparsity: float) -> nn.Module:
    pairs = [(m, "weight") for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=sparsity)
    for module, name in pairs:
        prune.remove(module, name)
    return network


def structured(original: Original) -> list[Row]:
    """Half the channels of each layer by their L2 norm; the library's surgery is in both."""
    theirs, ours, kept = [], [], {}
    for _ in range(RUNS):
        smaller, lap = timed(partial(torch_pruning_half, plain_copy(original), original.example))
        theirs.append(lap)
        fresh = original.with_module(original.module)
        made, lap = timed(lambda one=fresh: compress(one, (PruneStructured(0.5),)).module)  # type: ignore[misc]
        ours.append(lap)
        kept = {"theirs": smaller, "ours": made}
    macs = {name: sum(layer_macs(n, original.example).values()) for name, n in kept.items()}
    return [
        row(f"channels 50 %: torch_pruning.MagnitudePruner, {macs['theirs']:,} MACs left", theirs),
        row(f"  ours, {macs['ours']:,} MACs left", ours, plain=theirs),
    ]


def torch_pruning_half(network: nn.Module, example: Tensor) -> nn.Module:
    """As its documentation does: the importance of a group, the classifier's outputs left alone."""
    last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    pruner = torch_pruning.MagnitudePruner(
        network,
        example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=0.5,
        ignored_layers=[last],
    )
    pruner.step()
    return network


def sharing(original: Original) -> list[Row]:
    """16 values for the largest layer; the error is Σ (w - w')²."""
    largest = max((layer.weight for layer in original.layers.values()), key=lambda w: w.numel())
    settings: Mapping[str, Init] = {"linear": "linear", "the optimum": "optimal"}
    (passes, error), slow = timed(partial(sklearn_share, largest))
    title = f"share {CLUSTERS} values among {largest.numel():,}"
    rows = [row(f"{title}: sklearn KMeans, error {error:.4f} after {passes} passes", [slow])]
    for name, init in settings.items():
        step = ShareWeights(CLUSTERS, init)
        found, laps = zip(*(timed(partial(share, largest, step)) for _ in range(RUNS)), strict=True)
        text = f"  ours, {name}, error {sse(largest, found[0]):.4f}"
        rows.append(row(text, laps, plain=[slow] * RUNS))
    return rows


def sklearn_share(weight: Tensor) -> tuple[int, float]:
    """Passes and error of k-means from linear centroids, until it stands still."""
    flat = weight.reshape(-1, 1).numpy()
    start = torch.linspace(float(weight.min()), float(weight.max()), CLUSTERS).reshape(-1, 1)
    found = KMeans(CLUSTERS, init=start.numpy(), n_init=1, tol=0, max_iter=300).fit(flat)
    return int(found.n_iter_), float(found.inertia_)
