"""Trade-offs: a family of recipes for each method, and the measurement of each of its points."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from compress_core.applying.structured import coupled_groups
from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.report import Report, measure
from compress_core.measurement.scores import judge
from compress_core.methods.low_rank import Factorize, Form, forms_of
from compress_core.methods.pruning import Prune, PruneNM
from compress_core.methods.quantization import (
    BITS,
    Binarize,
    Quantize,
    QuantizeFloat,
    QuantizeGPTQ,
    Ternarize,
)
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.original import Original
from compress_core.recipe import Recipe, parse_recipe
from compress_core.search.presets import presets
from compress_core.steps import ROWS, AnyStep

SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
ENERGIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
PATTERNS = ((3, 4), (2, 4), (1, 4), (1, 8), (1, 16))
CLUSTERS = (256, 128, 64, 32, 16, 8, 4, 3, 2)
FEW_BITS = (8, 7, 6, 5, 4, 3, 2)
LOW_BIT: tuple[AnyStep, ...] = (
    QuantizeFloat("fp16"),
    QuantizeFloat("fp8_e4m3"),
    QuantizeFloat("nf4"),
    QuantizeFloat("fp4_e2m1"),
    Ternarize(),
    Binarize(),
)


Recipes = tuple[Recipe, ...]


@dataclass(frozen=True)
class Family:
    """One curve of the plane: a method's recipes from mild to strong."""

    name: str
    recipes: Recipes


def families(original: Original) -> dict[str, Family]:
    """The families that a sweep of `original` can take, by name.

    Left out are those of which no layer is able, and those that need training data where there
    are none.
    """
    found = {
        "prune": _each(Prune(sparsity=s) for s in SPARSITIES),
        "quantize": _each(Quantize(bits=bits, clipping="mse") for bits in reversed(BITS)),
        **_factor_families(original),
        "prune + quantize": tuple(
            (Prune(sparsity=s), Quantize(bits=5, clipping="mse")) for s in SPARSITIES
        ),
        "n:m": _each(PruneNM(n, m) for n, m in PATTERNS),
        "share": _each(ShareWeights(clusters) for clusters in CLUSTERS),
        "low-bit": _each(LOW_BIT),
        **_pruning_families(original),
        **_data_families(original),
        **_channel_family(original),
        **_chain_family(original),
        **_trained_family(original),
    }
    return {name: Family(name, recipes) for name, recipes in found.items()}


def _each(steps: Iterable[AnyStep]) -> Recipes:
    """A recipe of each step alone."""
    return tuple((step,) for step in steps)


def _able(original: Original, form: Form = "channel") -> tuple[str, ...]:
    """The layers that can run as factors of a form: for "channel" all that can be replaced,
    for the others those with a kernel of more than one weight."""
    able = {name: layer for name, layer in original.layers.items() if not layer.refuses_factors}
    layers = {name: layer for name, layer in able.items() if not original.read_besides(name)}
    if form == "channel":
        return tuple(layers)
    kernels = {n: layer for n, layer in layers.items() if layer.weight[0, 0].numel() > 1}
    return tuple(name for name, layer in kernels.items() if form in forms_of(layer.shape))


def _factor_families(original: Original) -> dict[str, Recipes]:
    names: dict[str, Form] = {"factorize": "channel", "spatial": "spatial", "tucker": "tucker"}
    able = {name: (form, _able(original, form)) for name, form in names.items()}
    return {
        name: _each(Factorize(energy=e, form=form, layers=layers) for e in reversed(ENERGIES))
        for name, (form, layers) in able.items()
        if layers
    }


def _pruning_families(original: Original) -> dict[str, Recipes]:
    """Every step that prunes a share, by its name and in its usual scope."""
    found: dict[str, Recipes] = {}
    for row in ROWS:
        if row.kind == "prune" and row.has("sparsity"):
            settings: list[dict[str, Any]] = [{"sparsity": share} for share in SPARSITIES]
            steps = [row.type(**fields) for fields in settings]
            if not row.sees_data(steps[0]) or _sees_data(original):
                found[row.name] = _each(steps)
    return found


def _sees_data(original: Original) -> bool:
    """Whether there are training images, and layers whose inputs can be seen."""
    return original.calibration is not None and bool(_able(original))


def _data_families(original: Original) -> dict[str, Recipes]:
    """Methods that look at training images, for the layers whose inputs can be seen."""
    if not _sees_data(original):
        return {}
    layers = _able(original)
    return {
        "gptq": _each(QuantizeGPTQ(b, clipping="mse", layers=layers) for b in FEW_BITS),
        "whitened": _each(
            Factorize(energy=e, whiten=True, layers=layers) for e in reversed(ENERGIES)
        ),
    }


def _channel_family(original: Original) -> dict[str, Recipes]:
    try:
        groups = coupled_groups(original)
    except ValueError:  # its channels cannot be followed
        return {}
    if all(group.locked for group in groups):
        return {}
    return {"channels": _each(PruneStructured(ratio) for ratio in SPARSITIES)}


def _chain_family(original: Original) -> dict[str, Recipes]:
    """Low rank, sparse and shared: the stages of Deep Compression, without training in between."""
    layers = _able(original)
    if not layers:
        return {}
    first, last = Factorize(energy=0.95, layers=layers), ShareWeights(16)
    chains = tuple((first, Prune(sparsity=s), last) for s in SPARSITIES)
    return {"factorize + prune + share": chains}


def _trained_family(original: Original) -> dict[str, Recipes]:
    """The recipes whose training ships with the project."""
    recipes = tuple(parse_recipe(preset.recipe) for preset in presets(original.name))
    return {"trained": recipes} if recipes else {}


def sweep(original: Original, recipes: Sequence[Recipe], data: Dataset) -> Iterator[Report]:
    """Measure each recipe on all of `data`, one row at a time so that a caller can show progress.

    Every point starts from the original model: none inherits the one before.
    """
    baseline = judge(original, data).answers(original.pristine)
    for recipe in recipes:
        yield measure(compress(original, recipe), data, baseline=baseline)
