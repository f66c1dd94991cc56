"""Sweep a method over its range: every point is a real file, measured from the original model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.accuracy import predicted_classes
from compress_core.measurement.report import Report, measure
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.methods.quantization import BITS, Quantize
from compress_core.original import Original
from compress_core.recipe import Recipe

SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
ENERGIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Family:
    """One curve of the plane: a method's recipes from mild to strong."""

    name: str
    recipes: tuple[Recipe, ...]


def families(original: Original) -> dict[str, Family]:
    """The families that a sweep of `original` can take, by name.

    Factorization names only the layers that can run as a factor pair.
    """
    pairs = tuple(name for name, layer in original.layers.items() if not layer.refuses_factors)
    prune = tuple((Prune(sparsity=s),) for s in SPARSITIES)
    clipped = tuple((Quantize(bits=bits, clipping="mse"),) for bits in reversed(BITS))
    both = tuple((Prune(sparsity=s), Quantize(bits=5, clipping="mse")) for s in SPARSITIES)
    random = tuple((RandomPrune(sparsity=s),) for s in SPARSITIES)
    found = [
        Family("prune", prune),
        Family("quantize", clipped),
        Family("prune + quantize", both),
        Family("random_prune", random),
    ]
    if pairs:
        factorize = tuple((Factorize(energy=e, layers=pairs),) for e in reversed(ENERGIES))
        found.insert(2, Family("factorize", factorize))
    return {family.name: family for family in found}


def sweep(original: Original, recipes: Sequence[Recipe], data: Dataset) -> Iterator[Report]:
    """Measure each recipe on all of `data`, one row at a time so that a caller can show progress.

    Every point starts from the original model: none inherits the one before.
    """
    baseline: Tensor = predicted_classes(original.module, data)
    for recipe in recipes:
        yield measure(compress(original, recipe), data, baseline=baseline)
