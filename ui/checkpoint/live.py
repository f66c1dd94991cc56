"""The live picture of one tensor: the histogram that one drags, as on the pages of a network."""

from typing import Any

from compress_core.checkpoint import Census, Checkpoint, Entry, Weighed
from compress_core.methods.quantization import Quantize, QuantizeMX
from compress_core.methods.quantization.ranges import CLIP_GRID
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import Recipe
from compress_core.views.checkpoint_profiles import (
    census_profile,
    codebook_profile,
    scale_profile,
)
from compress_core.views.live_pruning import BYTES_EVERY
from ui import live_histogram
from ui.checkpoint import opened
from ui.checkpoint.controls import (
    BITS,
    CLUSTERS,
    FORMATS,
    MOST,
    MX_FORMAT_NAMES,
    chosen_method,
    quantization,
    release,
)
from ui.language import _
from ui.live_histogram.routes import pack, publish
from ui.prune.controls import SNAPS
from ui.quantize.methods import FLOAT, LEAST_PERCENTILE, bits_of, format_words, sharing_of

PAGE = "checkpoint"


def show(checkpoint: Checkpoint, entry: Entry, steps: Recipe, weighed: Weighed) -> None:
    """The weights of a tensor, and the method's control on them."""
    census = opened.census(checkpoint, entry.name)
    if chosen_method() == "prune":
        live_histogram.show(
            "prune", _pruning(entry, census, weighed), on_release=release, page=PAGE
        )
    elif chosen_method() == "share":
        live_histogram.show(
            "quantize", _sharing(entry, census, steps, weighed), on_release=release, page=PAGE
        )
    else:
        live_histogram.show(
            "quantize", _quantizing(entry, census, weighed), on_release=release, page=PAGE
        )


def _pruning(entry: Entry, census: Census, weighed: Weighed) -> dict[str, Any]:
    profile = census_profile(entry, census)
    count = round(weighed.sparsity * census.weights)
    return {
        "profiles": publish(pack([profile])),
        "constants": {
            "snaps": SNAPS,
            "most": round(MOST / 100, 6),
            "bytes_every": BYTES_EVERY,
            "bytes_of": _("this tensor"),
        },
        "layer": entry.name,
        "method": "magnitude",
        "scope": "layer",
        "by": "sparsity",
        "sparsity": weighed.sparsity,
        "threshold": census.threshold_at(count),
        "kept": None,
        "bytes": weighed.stored_bytes,
        "plane": None,
        "zeros_follow": False,
        "rest_bytes": 0,
        "layers": [
            {
                "moves": True,
                "sparsity": weighed.sparsity,
                "energy": 1 - census.energy_below(count),
                "bytes": weighed.stored_bytes,
            }
        ],
    }


def _quantizing(entry: Entry, census: Census, weighed: Weighed) -> dict[str, Any]:
    step = quantization()
    settings = sharing_of(step)
    found = scale_profile(entry, lambda: census, settings, step, channel=0)
    is_affine = isinstance(step, Quantize)
    titles = {
        "tensor": _("Weights of {layer}", layer=entry.name),
        "group": _("{layer}, output channel 0, first group", layer=entry.name),
        "channel": _("{layer}, output channel 0", layer=entry.name),
    }
    names = MX_FORMAT_NAMES if isinstance(step, QuantizeMX) else FORMATS
    formats = {
        "setting": _("Format"),
        "field": "format",
        "values": names,
        "texts": [format_words(name) for name in names],
        "chosen": getattr(step, "format", None),
    }
    bits = _numbers(_("Bits"), "bits", BITS, getattr(step, "bits", None))
    return _levels(found.sample, found.points, weighed) | {
        "title": titles[settings.granularity],
        "choices": bits if is_affine else formats,
        "foresees": is_affine,
        "draws": "affine" if is_affine else "levels",
        "step": {
            "bits": bits_of(step),
            "scheme": settings.scheme,
            "clipping": settings.clipping,
            "percentile": settings.percentile,
        },
        "clips": is_affine,
        "clipped": found.view.clipped,
        "levels": [] if is_affine else found.view.levels.tolist(),
        "level_count": found.view.level_count,
        "scale": found.view.scale,
        "group_sqnr_db": found.view.sqnr_db,
    }


def _sharing(entry: Entry, census: Census, steps: Recipe, weighed: Weighed) -> dict[str, Any]:
    (step,) = steps
    assert isinstance(step, ShareWeights)
    points, sample, codebook = codebook_profile(entry, census, step)
    return _levels(sample, points, weighed) | {
        "title": _("Weights of {layer}", layer=entry.name),
        "choices": _numbers(_("Clusters"), "clusters", CLUSTERS, step.clusters),
        "foresees": False,
        "draws": "levels",
        "step": {
            "bits": (codebook.numel() - 1).bit_length(),
            "scheme": "symmetric",
            "clipping": "min_max",
            "percentile": 100.0,
        },
        "clips": False,
        "clipped": 0.0,
        "levels": codebook.tolist(),
        "level_count": codebook.numel(),
        "scale": 1.0,
        "group_sqnr_db": weighed.sqnr_db,
    }


def _levels(sample: Any, points: Any, weighed: Weighed) -> dict[str, Any]:
    """What all pictures with levels share."""
    return {
        "profiles": publish(pack([sample])),
        "view": publish(pack([points])),
        "constants": {
            "float": FLOAT,
            "clips": CLIP_GRID[::-1].tolist(),
            "least_percentile": LEAST_PERCENTILE,
        },
        "plane": None,
        "zeroed": 0,
        "layers": [{"moves": True, "bits": FLOAT, "sqnr_db": weighed.sqnr_db}],
    }


def _numbers(setting: str, field: str, values: tuple[int, ...], chosen: object) -> dict[str, Any]:
    """The choices under the picture, the fewest first."""
    ascending = sorted(values)
    return {
        "setting": setting,
        "field": field,
        "values": ascending,
        "texts": [str(value) for value in ascending],
        "chosen": chosen,
    }
