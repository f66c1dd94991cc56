"""Quantize: the weights that share a scale, their levels, and the noise of every layer."""

from typing import Any

from compress_core import Quantize, Recipe
from compress_core.methods.quantization import QuantizeFloat, QuantizeMX, Ternarize
from compress_core.methods.quantization.ranges import CLIP_GRID
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import without_kinds
from compress_core.steps import AnyStep
from compress_core.views import summaries
from compress_core.views.live_profiles import range_sample, weight_points
from compress_core.views.summaries import ScaleView
from ui import live_histogram
from ui.language import _
from ui.live_histogram.routes import pack, publish
from ui.panels import small_plane
from ui.quantize.callbacks import release_quantization
from ui.quantize.controls import Choice
from ui.quantize.methods import (
    FLOAT,
    FORMATS_OF,
    FP32,
    LEAST_PERCENTILE,
    bit_choices,
    bits_of,
    format_words,
    is_affine,
    sharing_of,
)
from ui.session import caches
from ui.session.state import Current

FAMILIES = {
    "affine": "quantize",
    "GPTQ": "gptq",
    "float": "low-bit",
    "microscaling": "low-bit",
    "ternary": "low-bit",
    "binary": "low-bit",
}
CURVE_SETTINGS = {"scheme": "symmetric", "clipping": "mse"}  # of those along which bits are dragged
MEASURED_WITH = {"affine": CURVE_SETTINGS, "GPTQ": CURVE_SETTINGS}
AFTER_CODES = ("correct", "activations")  # kinds that leave the weights as they are


def show(current: Current, choice: Choice) -> None:
    """The weights of a layer that share a scale, their levels, and the noise of every layer."""
    settings, layer = choice.settings, choice.layer
    others = without_kinds(current.recipe, ("quantize", *AFTER_CODES))
    before = caches.compressed(current.model, others).layers[layer]
    view = summaries.scale_view(before, current.compressed.layers[layer], settings, choice.channel)
    winners = current.compressed.winners("quantize")
    moves = _moved_by_quantize(current, choice)
    drawn, draws = winners.get(layer), _drawing(current, choice, view)
    scales = Quantize(
        scheme=settings.scheme, granularity=settings.granularity, group_size=settings.group_size
    )
    live_histogram.show(
        "quantize",
        {
            "profiles": publish(range_blob(current.model, others, scales)),
            "constants": {
                "float": FLOAT,
                "clips": CLIP_GRID[::-1].tolist(),
                "least_percentile": LEAST_PERCENTILE,
            },
            "view": publish(pack([weight_points(view.weights)])),
            "plane": _plane(current, choice),
            "title": _title(current, choice, drawn),
            "choices": _choices(choice),
            "foresees": choice.method in {"affine", "GPTQ"},
            "draws": draws,
            "step": {
                "bits": bits_of(choice.step),
                "scheme": settings.scheme,
                "clipping": settings.clipping,
                "percentile": settings.percentile,
            },
            "clips": is_affine(drawn),
            "clipped": view.clipped,
            "zeroed": view.zeroed if isinstance(drawn, Ternarize) else 0,
            "levels": view.levels.tolist() if draws == "levels" else [],
            "level_count": view.level_count,
            "scale": view.scale,
            "group_sqnr_db": view.sqnr_db,
            "layers": [
                {"moves": row.name in moves, "bits": row.bits, "sqnr_db": row.sqnr_db}
                for row in current.size.layers
            ],
        },
        on_release=release_quantization,
    )


def _plane(current: Current, choice: Choice) -> dict[str, Any]:
    """The curve of the method; along it one drags bits, if the other settings are the curve's."""
    family = FAMILIES[choice.method]
    if choice.method not in MEASURED_WITH:
        return small_plane.data(current, family, "quantized")
    settings = MEASURED_WITH[choice.method]
    follows = all(getattr(choice.settings, name) == value for name, value in settings.items())
    return small_plane.data(
        current,
        family,
        "quantized",
        place=lambda recipe, _row: bits_of(recipe[0] if recipe else None),
        at=bits_of(choice.step) if follows else None,
        settings=settings,
    )


def _moved_by_quantize(current: Current, choice: Choice) -> set[str]:
    """The layers whose step the page's controls edit."""
    if choice.alone:
        return {choice.layer}
    winners = current.compressed.winners("quantize")
    return {
        n for n in current.original.layers if n not in winners or winners[n].layers == ALL_LAYERS
    }


def _drawing(current: Current, choice: Choice, view: ScaleView) -> str:
    """How the component gets the levels: by the affine formula, or from the core."""
    if choice.method in {"affine", "GPTQ"} and not choice.stands_aside(current):
        return "affine"
    return "levels" if view.level_count else "nothing"


def _choices(choice: Choice) -> dict[str, Any]:
    """The choices under the picture; the last one means not quantized."""
    if choice.method in FORMATS_OF:
        formats, has_format = FORMATS_OF[choice.method], QuantizeFloat | QuantizeMX
        chosen = choice.step.format if isinstance(choice.step, has_format) else FP32
        texts = [format_words(name) for name in formats]
        return {
            "setting": _("Format"),
            "field": "format",
            "values": formats,
            "texts": texts,
            "chosen": chosen,
        }
    values = bit_choices(choice.method)
    return {
        "setting": _("Bits"),
        "field": "bits",
        "values": values,
        "texts": [str(bits) for bits in values],
        "chosen": bits_of(choice.step),
    }


def _title(current: Current, choice: Choice, drawn: AnyStep | None) -> str:
    sharing = (sharing_of(drawn) if drawn else choice.settings).granularity
    drawn_of = {"layer": choice.layer, "channel": choice.channel}
    if current.compressed.layers[choice.layer].rank is not None:
        drawn_of["layer"] = _("the last factor of {layer}", layer=choice.layer)
    if sharing == "tensor":
        title = _("Weights of {layer}", **drawn_of)
    elif sharing == "group":
        title = _("Weights of {layer}, output channel {channel}, first group", **drawn_of)
    else:
        title = _("Weights of {layer}, output channel {channel}", **drawn_of)
    own = choice.stands_aside(current)
    return _("{title} (a step of its own)", title=title) if own else title


@caches.keep(max_entries=64, show_spinner=False)
def range_blob(model: str, others: Recipe, scales: Quantize) -> bytes:
    """Samples of all layers, with the ranges of the weights that share a scale."""
    layers = caches.compressed(model, others).layers.values()
    return pack([range_sample(stored, scales) for stored in layers])
