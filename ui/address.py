"""What the address of the page may say, checked before any widget sees it.

Streamlit itself drops a bad value in silence; here each one becomes a notice that names it.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from compress_core import MODELS, Factorize, Prune, Quantize, Recipe
from compress_core.methods.quantization import BITS
from ui.words import read_recipe, recipe_text

CHOICES: dict[str, tuple[str, ...]] = {
    "prune_method": ("magnitude", "random"),
    "prune_scope": ("global", "layer", "one"),
    "quantize_granularity": ("tensor", "channel", "group"),
    "quantize_scheme": ("symmetric", "asymmetric"),
    "quantize_clipping": ("min_max", "percentile", "mse"),
}


LAYERS = ("prune_layer", "quantize_layer", "factorize_layer")


def read(
    query: Mapping[str, str], default_model: str, layer_names: Callable[[str], Collection[str]]
) -> tuple[dict[str, Any], list[str]]:
    """The session keys that a query sets, and a notice for each value that cannot be used.

    `layer_names(model)` are the layers that a query may name.
    Settings of single controls (prune_sparsity=90) make a recipe where no `recipe` stands.
    """
    seeds: dict[str, Any] = {"model": default_model}
    notices: list[str] = []
    if "model" in query:
        if query["model"] in MODELS:
            seeds["model"] = query["model"]
        else:
            notices.append(_notice("model", query["model"], f"one of {', '.join(MODELS)}"))
    layers = tuple(layer_names(seeds["model"])) if set(LAYERS) & set(query) else ()
    for key, choices in (CHOICES | dict.fromkeys(LAYERS, layers)).items():
        if query.get(key) in choices:
            seeds[key] = query[key]
        elif key in query:
            notices.append(_notice(key, query[key], f"one of {', '.join(choices)}"))
    recipe = _recipe(query, notices) or _from_controls(query, notices)
    return seeds | {"recipe": recipe_text(recipe)}, notices


def _recipe(query: Mapping[str, str], notices: list[str]) -> Recipe:
    try:
        return read_recipe(query.get("recipe", ""))
    except ValueError as error:
        notices.append(f"The recipe in the address cannot be used: {error}. It starts empty.")
        return ()


def _from_controls(query: Mapping[str, str], notices: list[str]) -> Recipe:
    steps = (
        _number(query, "prune_sparsity", "a percentage from 0 to 99.9", notices, _prune),
        _number(query, "prune_threshold", "a magnitude of at least 0", notices, _threshold),
        _number(
            query,
            "quantize_bits",
            f"one of {', '.join(map(str, BITS))}",
            notices,
            lambda bits: _quantize(bits, query),
        ),
        _number(
            query,
            "factorize_rank",
            "a whole number of at least 1, with factorize_layer=…",
            notices,
            lambda rank: _factorize(rank, query),
        ),
    )
    return tuple(step for step in steps if step is not None)


def _number(
    query: Mapping[str, str],
    key: str,
    rule: str,
    notices: list[str],
    make: Callable[[float], Any],
) -> Any:
    if key not in query:
        return None
    try:
        return make(float(query[key]))
    except ValueError:
        notices.append(_notice(key, query[key], rule))
        return None


def _prune(percent: float) -> Prune | None:
    return Prune(sparsity=round(percent / 100, 6)) if percent else None


def _threshold(threshold: float) -> Prune | None:
    return Prune(threshold=threshold) if threshold else None


def _quantize(bits: float, query: Mapping[str, str]) -> Quantize:
    chosen = {
        field: query[f"quantize_{field}"]
        for field in ("scheme", "granularity", "clipping")
        if query.get(f"quantize_{field}") in CHOICES[f"quantize_{field}"]
    }
    return Quantize(bits=int(bits) if bits.is_integer() else -1, **chosen)  # type: ignore[arg-type]


def _factorize(rank: float, query: Mapping[str, str]) -> Factorize:
    layer = query.get("factorize_layer")
    if not layer or not rank.is_integer():
        raise ValueError(rank)
    return Factorize(rank=int(rank), layers=(layer,))


def _notice(key: str, value: str, rule: str) -> str:
    return f"{key}={value} in the address is not {rule}; its usual value is used."
