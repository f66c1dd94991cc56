"""What the address of the page may say, checked before any widget sees it.

Streamlit itself drops a bad value in silence; here each one becomes a notice that names it.
Streamlit also sets rows of choices to None when the browser goes back, and lets an old address win
over the recipe. So Streamlit binds only model and recipe to the address; the choices of the pages
are bound here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core import Factorize, Prune, Quantize, Recipe
from compress_core.methods.quantization import BITS
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import IMPORTANCES
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.opening.store import is_opened_name
from compress_core.recipe import format_recipe, parse_recipe
from compress_core.sources import is_known, model_names
from compress_core.steps import BY_TYPE, AnyStep
from ui import language
from ui.core_sentences import of_core
from ui.language import N_, Later, _
from ui.prune.methods import METHODS, SCOPE_HELP, make_step
from ui.quantize.methods import QUANTIZERS
from ui.recover.methods import RETRAININGS
from ui.session import models, values

CHOICES: dict[str, tuple[str, ...]] = {
    "factorize_scope": (N_("one layer"), N_("whole model")),
    "encode_extent": ("layer", "total"),
    "combine_files": (N_("plain until encoded"), N_("coded after each stage")),
    "quantize_method": tuple(QUANTIZERS),
    "quantize_scope": ("all", "one"),
    "share_init": ("optimal", "linear", "density", "random"),
    "share_scope": ("layer", "all", "one"),
    "prune_method": tuple(METHODS),
    "prune_scope": tuple(SCOPE_HELP),
    "recover_method": tuple(RETRAININGS),
    "structured_importance": tuple(IMPORTANCES),
    "structured_scope": ("layer", "global"),
    "quantize_granularity": ("tensor", "channel", "group"),
    "quantize_scheme": ("symmetric", "asymmetric"),
    "quantize_clipping": ("min_max", "percentile", "mse"),
    "quantize_activations": ("off", "static", "dynamic"),
    "quantize_input_clipping": ("min_max", "percentile", "mse"),
}


# Numbers beside the recipe: the usual one, the least and the largest.
NUMBERS = {"loss_tolerance": (1.0, 0.0, 100.0)}
LAYERS = ("prune_layer", "quantize_layer", "share_layer", "factorize_layer", "encode_layer")


def read(
    query: Mapping[str, str], default_model: str, layer_names: Callable[[str], Collection[str]]
) -> tuple[dict[str, Any], list[str]]:
    """The session keys that a query sets, and a notice for each value that cannot be used.

    `layer_names(model)` are the layers that a query may name.
    Settings of single controls (prune_sparsity=90) make a recipe where no `recipe` stands.
    """
    notices: list[str] = []
    seeds: dict[str, Any] = {"model": _model(query, notices) or default_model}
    spoken = query.get(language.KEY, "")
    if spoken not in ("", *language.LANGUAGES):
        notices.append(_notice(language.KEY, spoken, _one_of(language.LANGUAGES)))
    layers = tuple(layer_names(seeds["model"])) if set(LAYERS) & set(query) else ()
    for key, choices in (CHOICES | dict.fromkeys(LAYERS, layers)).items():
        if query.get(key) in choices:
            seeds[key] = query[key]
        elif key in query:
            notices.append(_notice(key, query[key], _one_of(choices)))
    for key in NUMBERS.keys() & query.keys():
        found = _number(key, query[key])
        if found is None:
            notices.append(_notice(key, query[key], _from_to(*NUMBERS[key][1:])))
        else:
            seeds[key] = found
    if "recipe" in query:
        recipe = _recipe(query["recipe"], notices)
    else:
        wrong = {key for key in (*CHOICES, *LAYERS) if key not in seeds}
        recipe = _from_controls({k: v for k, v in query.items() if k not in wrong}, notices)
    return seeds | {"recipe": format_recipe(recipe)}, notices


def follow_history(page: str) -> None:
    """After the browser's back or forward, the page's choices are those of the address again.

    A choice that the address does not name, or names wrongly, gets its usual value when it is
    drawn. The recipe wins over both.
    """
    if not values.went_back():
        return
    prefix = f"{page.split('_')[0]}_"
    for key in filter(lambda key: key.startswith(prefix), (*CHOICES, *LAYERS)):
        if key in st.query_params:
            st.session_state[key] = st.query_params[key]
        elif key in st.session_state:
            del st.session_state[key]
    for key, (usual, *_bounds) in NUMBERS.items():
        found = _number(key, st.query_params.get(key, ""))
        st.session_state[key] = usual if found is None else found


def _number(key: str, text: str) -> float | None:
    """A number of NUMBERS as the address says it; None if it says none that can be."""
    low, high = NUMBERS[key][1:]
    try:
        found = float(text)
    except ValueError:
        return None
    return found if low <= found <= high else None


def tell(key: str, value: str, *, usual: str) -> None:
    """Let the address name a choice, unless it is the usual one."""
    if value == usual:
        if key in st.query_params:
            del st.query_params[key]
    elif st.query_params.get(key) != value:
        st.query_params[key] = value


def _recipe(text: str, notices: list[str]) -> Recipe:
    try:
        return parse_recipe(text)
    except ValueError as error:
        notices.append(_no_recipe(str(error)))
        return ()


def _no_recipe(error: str) -> Later:
    return Later(
        lambda: _(
            "The recipe in the address cannot be used: {error}. It starts empty.",
            error=of_core(error),
        )
    )


def _from_controls(query: Mapping[str, str], notices: list[str]) -> Recipe:
    makers = {
        "quantize": ("quantize_bits",),
        "share": ("share_clusters",),
        "factorize": ("factorize_rank", "factorize_energy"),
        "prune": ("prune_sparsity", "prune_threshold"),
    }
    steps: list[AnyStep] = []
    for keys in makers.values():
        made = [step for key in keys if key in query and (step := _step(key, query, notices))]
        steps += made[:1]  # two controls of one page show the same step
    return tuple(steps)


def _step(key: str, query: Mapping[str, str], notices: list[str]) -> AnyStep | None:
    rule, make = CONTROLS[key]
    try:
        return make(float(query[key]), query)
    except (ValueError, OverflowError):
        notices.append(_notice(key, query[key], rule))
        return None


def _sparsity(percent: float, query: Mapping[str, str]) -> AnyStep | None:
    sparsity, layers = round(percent / 100, 6), _named_layers("prune", query)
    if not sparsity:
        return None
    method, scope = query.get("prune_method", "magnitude"), query.get("prune_scope")
    scopes = METHODS[method].scopes
    usual = scope is None or scope == "one" or scope not in scopes
    step = make_step(method, sparsity, scope=scopes[0] if usual else str(scope))
    return replace(step, layers=layers)


def _threshold(threshold: float, query: Mapping[str, str]) -> AnyStep | None:
    layers = _named_layers("prune", query)
    return Prune(threshold=threshold, layers=layers) if threshold else None


def _named_layers(page: str, query: Mapping[str, str]) -> tuple[str, ...]:
    if query.get(f"{page}_scope") != "one":
        return ALL_LAYERS
    if f"{page}_layer" not in query:
        raise ValueError(f"{page}_layer is missing")
    return (query[f"{page}_layer"],)


def _quantize(bits: float, query: Mapping[str, str]) -> AnyStep | None:
    if bits == 32:  # the control's own word for: not quantized
        return None
    chosen = {
        field: query[f"quantize_{field}"]
        for field in ("scheme", "granularity", "clipping")
        if query.get(f"quantize_{field}") in CHOICES[f"quantize_{field}"]
    }
    asked = QUANTIZERS[query.get("quantize_method", "affine")].step
    settings: dict[str, Any] = {
        "bits": int(bits) if bits.is_integer() else -1,
        "layers": _named_layers("quantize", query),
        **chosen,
    }
    method = asked if all(map(BY_TYPE[asked].has, settings)) else Quantize
    return method(**settings)


def _share(clusters: float, query: Mapping[str, str]) -> AnyStep | None:
    if clusters == 0:  # the control's own word for: not shared
        return None
    alone = query.get("share_scope") == "one"
    if alone and "share_layer" not in query:
        raise ValueError("share_layer is missing")
    return ShareWeights(
        clusters=int(clusters) if clusters.is_integer() else -1,
        init=query.get("share_init", ShareWeights.init),  # type: ignore[arg-type]
        scope="all" if query.get("share_scope") == "all" else "layer",
        layers=(query["share_layer"],) if alone else ALL_LAYERS,
    )


def _rank(rank: float, query: Mapping[str, str]) -> AnyStep:
    if not rank.is_integer():
        raise ValueError(rank)
    return Factorize(rank=int(rank), layers=(_factorize_layer(query),))


def _energy(percent: float, query: Mapping[str, str]) -> AnyStep | None:
    layers = (_factorize_layer(query),)
    return Factorize(energy=round(percent / 100, 6), layers=layers) if percent < 100 else None


def _factorize_layer(query: Mapping[str, str]) -> str:
    if not query.get("factorize_layer"):
        raise ValueError("factorize_layer is missing")
    return query["factorize_layer"]


def _model(query: Mapping[str, str], notices: list[str]) -> str | None:
    """The model that a query names, if it is there."""
    name = query.get("model")
    if name is None or is_known(name):
        return name
    is_gone = is_opened_name(name)
    notices.append(
        models.gone_notice(name) if is_gone else _notice("model", name, _one_of(model_names()))
    )
    return None


def _notice(key: str, value: str, rule: Callable[[], str]) -> Later:
    return Later(
        lambda: _(
            "{key}={value} in the address is not {rule}; its usual value is used.",
            key=key,
            value=value[:40],
            rule=rule(),
        )
    )


def _one_of(choices: Iterable[object]) -> Callable[[], str]:
    listed = ", ".join(map(str, choices))
    return lambda: _("one of {choices}", choices=listed)


def _from_to(low: float, high: float) -> Callable[[], str]:
    return lambda: _("a number from {low:g} to {high:g}", low=low, high=high)


Maker = Callable[[float, Mapping[str, str]], AnyStep | None]
CONTROLS: dict[str, tuple[Callable[[], str], Maker]] = {  # what they take, and their step
    "prune_sparsity": (
        lambda: _("a percentage from 0 to 99.9, of prune_layer=… for one, and not of N:M"),
        _sparsity,
    ),
    "prune_threshold": (
        lambda: _("a magnitude of at least 0, in prune_layer=… for one"),
        _threshold,
    ),
    "quantize_bits": (
        lambda: _("one of {bits}, of quantize_layer=… for one", bits=", ".join(map(str, BITS))),
        _quantize,
    ),
    "share_clusters": (
        lambda: _("a whole number from 2 to 4096, of share_layer=… for one"),
        _share,
    ),
    "factorize_rank": (
        lambda: _("a whole number of at least 1, with factorize_layer=…"),
        _rank,
    ),
    "factorize_energy": (lambda: _("a percentage above 0, with factorize_layer=…"), _energy),
}
