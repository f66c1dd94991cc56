"""Trade-offs: a family of recipes for each method, and the measurement of each of its points."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from compress_core.applying.structured import coupled_groups
from compress_core.compressed import compress
from compress_core.data import DataError, Dataset
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
    QuantizeMX,
    Ternarize,
)
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe, parse_recipe, to_json
from compress_core.search.presets import presets
from compress_core.steps import ROWS, AnyStep
from compress_core.steps import Row as StepRow
from compress_core.trained import NotTrained

SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
ENERGIES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
PATTERNS = ((3, 4), (2, 4), (1, 4), (1, 8), (1, 16))
CLUSTERS = (256, 128, 64, 32, 16, 8, 4, 3, 2)
FEW_BITS = (8, 7, 6, 5, 4, 3, 2)
LOW_BIT: tuple[AnyStep, ...] = (
    QuantizeFloat("fp16"),
    QuantizeFloat("fp8_e4m3"),
    QuantizeMX("mxfp8_e4m3"),
    QuantizeMX("mxfp6_e2m3"),
    QuantizeMX("nvfp4"),
    QuantizeMX("mxfp4"),
    QuantizeFloat("nf4"),
    QuantizeFloat("fp4_e2m1"),
    Ternarize(),
    Binarize(),
)


Recipes = tuple[Recipe, ...]
Maker = Callable[[Original], Recipes]  # no recipes where no layer is able


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
    found = {name: make(original) for name, make in MAKERS.items()}
    return {name: Family(name, recipes) for name, recipes in found.items() if recipes}


def family(original: Original, name: str) -> Family | None:
    """One of `families`, None where it is none of them; faster where it is not "channels"."""
    recipes = MAKERS[name](original) if name in MAKERS else ()
    return Family(name, recipes) if recipes else None


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


def _same_for_all(recipes: Recipes) -> Maker:
    return lambda _original: recipes


def _factors(original: Original, form: Form) -> Recipes:
    layers = _able(original, form)
    if not layers:
        return ()
    return _each(Factorize(energy=e, form=form, layers=layers) for e in reversed(ENERGIES))


def _pruning(original: Original, row: StepRow) -> Recipes:
    """A step that prunes a share, in its usual scope."""
    settings: list[dict[str, Any]] = [{"sparsity": share} for share in SPARSITIES]
    steps = [row.type(**fields) for fields in settings]
    return _each(steps) if not row.sees_data(steps[0]) or _sees_data(original) else ()


def _sees_data(original: Original) -> bool:
    """Whether there are training images, and layers whose inputs can be seen."""
    return original.calibration is not None and bool(_able(original))


def _gptq(original: Original) -> Recipes:
    """For the layers whose inputs can be seen, as `_whitened`."""
    if not _sees_data(original):
        return ()
    layers = _able(original)
    return _each(QuantizeGPTQ(b, clipping="mse", layers=layers) for b in FEW_BITS)


def _whitened(original: Original) -> Recipes:
    if not _sees_data(original):
        return ()
    layers = _able(original)
    return _each(Factorize(energy=e, whiten=True, layers=layers) for e in reversed(ENERGIES))


def _channels(original: Original) -> Recipes:
    try:
        groups = coupled_groups(original)
    except ValueError:  # its channels cannot be followed
        return ()
    if all(group.locked for group in groups):
        return ()
    return _each(PruneStructured(ratio) for ratio in SPARSITIES)


def _chain(original: Original) -> Recipes:
    """Low rank, sparse and shared: the stages of Deep Compression, without training in between."""
    layers = _able(original)
    if not layers:
        return ()
    first, last = Factorize(energy=0.95, layers=layers), ShareWeights(16)
    return tuple((first, Prune(sparsity=s), last) for s in SPARSITIES)


def _trained(original: Original) -> Recipes:
    """The recipes whose training ships with the project."""
    return tuple(parse_recipe(preset.recipe) for preset in presets(original.name))


MAKERS: dict[str, Maker] = {
    "prune": _same_for_all(_each(Prune(sparsity=s) for s in SPARSITIES)),
    "quantize": _same_for_all(_each(Quantize(bits=b, clipping="mse") for b in reversed(BITS))),
    "factorize": partial(_factors, form="channel"),
    "spatial": partial(_factors, form="spatial"),
    "tucker": partial(_factors, form="tucker"),
    "prune + quantize": _same_for_all(
        tuple((Prune(sparsity=s), Quantize(bits=5, clipping="mse")) for s in SPARSITIES)
    ),
    "n:m": _same_for_all(_each(PruneNM(n, m) for n, m in PATTERNS)),
    "share": _same_for_all(_each(ShareWeights(clusters) for clusters in CLUSTERS)),
    "low-bit": _same_for_all(_each(LOW_BIT)),
    **{
        row.name: partial(_pruning, row=row)
        for row in ROWS
        if row.kind == "prune" and row.has("sparsity") and row.type is not Prune
    },
    "gptq": _gptq,
    "whitened": _whitened,
    "channels": _channels,
    "factorize + prune + share": _chain,
    "trained": _trained,
}


def baseline_of(original: Original, data: Dataset) -> Tensor:
    """What `point` compares with: the original's answers; none where it runs elsewhere, which
    compares there."""
    if original.elsewhere:
        return torch.empty(0)
    return judge(original, data).answers(original.pristine)


Row = dict[str, Any]  # Report.as_dict(), or the recipe and why it was refused


def point(original: Original, recipe: Recipe, data: Dataset, baseline: Tensor) -> Row:
    """A recipe measured on all of `data`, `baseline` being the original's answers to them.

    {"recipe": …, "refused": why} where it cannot be measured. Raises NotTrained and DataError: what
    they lack may come.
    """
    try:
        if original.elsewhere:
            return original.elsewhere.point(format_recipe(recipe))
        return measure(compress(original, recipe), data, baseline=baseline).as_dict()
    except (NotTrained, DataError):
        raise
    except ValueError as error:  # the other points can still be measured
        return {"recipe": to_json(recipe), "refused": str(error)}


def sweep(original: Original, recipes: Sequence[Recipe], data: Dataset) -> Iterator[Report]:
    """Measure each recipe on all of `data`, one row at a time so that a caller can show progress.

    Every point starts from the original model: none inherits the one before.
    """
    baseline = baseline_of(original, data)
    for recipe in recipes:
        yield measure(compress(original, recipe), data, baseline=baseline)
