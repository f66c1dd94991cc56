"""Deep Compression on our networks, as real files: bytes and errors over three seeds,
or one where an epoch takes minutes.

    python -m benchmarks deep_compression            # all rows; many hours on two cores
    python -m benchmarks.deep_compression NAME …     # some rows, by the start of their names
    python -m benchmarks.deep_compression --ship     # the last run's first seeds become presets

Trained steps are kept in the cache, so a broken run goes on where it was. Each run writes its rows
into deep_compression.json, beside this file, and the stored files into the folder of that name.
"""

import json
import shutil
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from compress_core import load_dataset, load_model, measure
from compress_core.command_line.console import Bars, print_table, progress
from compress_core.data import is_available
from compress_core.events import Event, Progress, Silent
from compress_core.models.catalog import model_spec
from compress_core.recipe import format_recipe, parse_recipe
from compress_core.search.presets import FILE as PRESETS
from compress_core.search.presets import Preset
from compress_core.search.published import LENET_5, LENET_300_100, PUBLISHED, published
from compress_core.steps import TRAINING
from compress_core.trained import SHIPPED, cache_folder, result_key
from compress_core.training.recovering import train_steps

SEEDS = (0, 1, 2)
ONCE = (0,)  # where an epoch takes minutes
FOLDER = Path(__file__).parent / "deep_compression"
LAST_RUN = FOLDER.with_suffix(".json")
ROUNDED = "quantize:bits={bits},granularity=tensor,clipping=mse"
REST = "quantize_rest:bits={bits},scales=fp16"
# About what gradual pruning leaves alive of LeNet-5's channels: removed before, they take no bytes,
# and an epoch takes less time.
SLIM = {"conv1": 0.3, "conv2": 0.5, "fc1": 0.8}


@dataclass(frozen=True)
class Chain:
    """A recipe with {seed} in it, which network it is for, and how often it is trained."""

    name: str
    model: str
    recipe: str
    seeds: tuple[int, ...] = SEEDS


@dataclass(frozen=True)
class Measured:
    """What a chain gave: bytes of the real files, fractions of wrong answers, in seeds' order."""

    name: str
    model: str
    recipe: str
    stored_bytes: tuple[int, ...]
    errors: tuple[float, ...]
    original_error: float

    @property
    def mean_bytes(self) -> float:
        return statistics.mean(self.stored_bytes)

    @property
    def mean_error(self) -> float:
        return statistics.mean(self.errors)


def priced(
    sparsity: float, bits: int, strength: float, *, epochs: tuple[int, int], rest_bits: int = 5
) -> str:
    """Prune gradually, round to few codes, train with a price on their bits."""
    gradual, rate = epochs
    return (
        f"gradual_prune:sparsity={sparsity},epochs={gradual},seed={{seed}};"
        f"{ROUNDED.format(bits=bits)};"
        f"rate_train:strength={strength},epochs={rate},seed={{seed}};{REST.format(bits=rest_bits)}"
    )


def slimmed(ratios: Mapping[str, float], recipe: str) -> str:
    """The recipe behind the removal of these fractions of the channels of layers."""
    cuts = [f"prune_structured:pruning_ratio={r},layers={layer}" for layer, r in ratios.items()]
    return ";".join([*cuts, recipe])


def shared(sparsity: float, clusters: int, *, epochs: tuple[int, int]) -> str:
    """The paper's own chain: prune and retrain, share, train the codebook, encode."""
    gradual, tuned = epochs
    return (
        f"gradual_prune:sparsity={sparsity},epochs={gradual},seed={{seed}};"
        f"share:clusters={clusters};finetune:epochs={tuned},seed={{seed}};{REST.format(bits=5)}"
    )


RESNET_20 = "cifar-resnet-20"
DISTILLED = (
    "gradual_prune:sparsity=0.9,epochs=12,seed={seed};"
    "distil:alpha=0.3,epochs=16,learning_rate=0.05,seed={seed}"
)
LIGHT = f"{ROUNDED.format(bits=3)};rate_train:strength=0.1,epochs=11,seed={{seed}}"
CHAINS = (
    Chain("300-100, Deep Compression", LENET_300_100, shared(0.96, 16, epochs=(12, 2))),
    Chain("300-100, priced", LENET_300_100, priced(0.97, 3, 0.3, epochs=(12, 6))),
    Chain("300-100, smallest", LENET_300_100, priced(0.985, 3, 1.0, epochs=(16, 6))),
    Chain("LeNet-5, Deep Compression", LENET_5, shared(0.95, 16, epochs=(6, 1))),
    Chain(
        "LeNet-5, priced",
        LENET_5,
        slimmed(SLIM, priced(0.94, 3, 0.25, epochs=(15, 12), rest_bits=4)),
    ),
    Chain(
        "LeNet-5, smallest",
        LENET_5,
        slimmed(SLIM, priced(0.94, 2, 0.25, epochs=(15, 12), rest_bits=3)),
    ),
    *(
        Chain(
            f"fashion-cnn, price {price:g}",
            "fashion-cnn",
            priced(0.95, 3, price, epochs=(3, 2)),
            seeds=ONCE,
        )
        for price in (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    ),
    Chain("ResNet-20, 90 % pruned", RESNET_20, DISTILLED, seeds=ONCE),
    Chain("ResNet-20, priced", RESNET_20, f"{LIGHT};{REST.format(bits=8)}", seeds=ONCE),
    Chain(
        "ResNet-20, smaller",
        RESNET_20,
        f"{LIGHT};rate_train:strength=0.5,epochs=7,seed={{seed}};{REST.format(bits=8)}",
        seeds=ONCE,
    ),
)


def run_chain(chain: Chain, bars: Bars) -> Measured:
    """Train, encode and measure a chain with every seed on the whole test set."""
    original, data = load_model(chain.model), load_dataset(model_spec(chain.model).dataset)
    sizes, errors, first = [], [], 0.0
    for seed in chain.seeds:
        recipe = parse_recipe(chain.recipe.format(seed=seed))
        title = f"{chain.name}, seed {seed}"
        compressed = train_steps(original, recipe, watcher=Silent(Teller(bars, title)))
        report = measure(compressed, data)
        sizes.append(compressed.stored_bytes)
        errors.append(1 - report.score.value)
        first = 1 - report.baseline.value
        _write(chain, seed, compressed.container)
    return Measured(chain.name, chain.model, chain.recipe, tuple(sizes), tuple(errors), first)


class Teller:
    """Shows the progress of a training on a bar."""

    def __init__(self, bars: Bars, title: str) -> None:
        self._bars, self._title = bars, title

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            self._bars.fraction(self._title, event.fraction, f"{self._title}: {event.text}")


def _write(chain: Chain, seed: int, raw: bytes) -> None:
    FOLDER.mkdir(exist_ok=True)
    name = chain.name.replace(",", "").replace(" ", "-")
    (FOLDER / f"{name}-{seed}.cx").write_bytes(raw)


def keep(rows: Sequence[Measured]) -> None:
    """Write rows into the last run's file, in place of those of the same name."""
    known = {
        row["name"]: row for row in (json.loads(LAST_RUN.read_text()) if LAST_RUN.exists() else [])
    }
    known |= {row.name: asdict(row) for row in rows}
    ordered = [known[chain.name] for chain in CHAINS if chain.name in known]
    LAST_RUN.write_text(json.dumps(ordered, indent=1) + "\n")


def table(rows: Sequence[Measured]) -> Iterator[tuple[str, ...]]:
    """A line a chain, and the published marks of the same networks below."""
    for row in rows:
        yield (
            row.name,
            f"{row.mean_bytes:,.0f}",
            f"{min(row.stored_bytes):,} … {max(row.stored_bytes):,}",
            f"{100 * row.mean_error:.2f}",
            f"{100 * min(row.errors):.2f} … {100 * max(row.errors):.2f}",
            f"{100 * row.original_error:.2f}",
            f"{len(row.errors)}",
            "real file",
        )
    for model in dict.fromkeys(row.model for row in rows):
        for mark in published(model):
            name = f"{mark.name} ({mark.source}), {model}"
            size, error = f"{mark.stored_bytes:,}", f"{100 * mark.error:.2f}"
            yield name, size, "", error, "", "", "", mark.unit


def run(names: Sequence[str] = ()) -> None:
    torch.set_num_threads(1)
    chosen = [c for c in CHAINS if not names or any(c.name.startswith(name) for name in names)]
    rows = []
    with progress() as bars:
        for chain in chosen:
            if is_available(model_spec(chain.model).dataset):
                rows.append(run_chain(chain, bars))
                keep(rows)
            else:
                print(f"{chain.name}: skipped, its data set is not here")
    columns = (
        "chain",
        "bytes",
        "of seeds",
        "error %",
        "of seeds",
        "before %",
        "seeds",
        "counted as",
    )
    print_table(columns, list(table(rows)), title=f"{len(rows)} chains, {len(PUBLISHED)} marks")


def ship() -> None:
    """Make presets of the last run: its recipes with the first seed, and what was trained."""
    SHIPPED.mkdir(parents=True, exist_ok=True)
    found = [
        Preset(
            name=row["name"],
            model=row["model"],
            recipe=format_recipe(parse_recipe(row["recipe"].format(seed=SEEDS[0]))),
            stored_bytes=row["stored_bytes"][0],
            error=row["errors"][0],
            mean_error=statistics.mean(row["errors"]),
            seeds=len(row["errors"]),
        )
        for row in json.loads(LAST_RUN.read_text())
    ]
    for preset in found:
        recipe = parse_recipe(preset.recipe)
        for i, step in enumerate(recipe, start=1):
            if step.kind == TRAINING:
                key = result_key(load_model(preset.model), recipe[:i])
                for name in (f"{key}.safetensors", f"{key}.json"):
                    shutil.copy(cache_folder() / name, SHIPPED / name)
    PRESETS.write_text(json.dumps([asdict(preset) for preset in found], indent=1) + "\n")


if __name__ == "__main__":
    ship() if sys.argv[1:] == ["--ship"] else run(sys.argv[1:])
