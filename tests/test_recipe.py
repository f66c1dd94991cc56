"""Recipes: which step wins, and the two text forms."""

import json
import re
from dataclasses import MISSING, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.methods.quantization import BITS, Quantize
from compress_core.recipe import (
    Recipe,
    RecipeError,
    format_recipe,
    format_step,
    from_json,
    parse_recipe,
    parse_step,
    settings,
    stages,
    to_json,
)
from compress_core.steps import BY_NAME, AnyStep, row_of

LAYERS = ("conv1", "conv2", "fc1", "fc2")

patterns = st.lists(st.sampled_from(["*", "fc*", "conv1", "*.weight"]), min_size=1, max_size=3)
layers = patterns.map(tuple)
fractions = st.floats(0, 1, exclude_max=True)
scopes = st.sampled_from(["global", "layer"])
steps = st.one_of(
    st.builds(Prune, sparsity=fractions, scope=scopes, layers=layers),
    st.builds(Prune, threshold=st.floats(0, 1e6), layers=layers),
    st.builds(Prune, sigmas=st.floats(0, 9), layers=layers),
    st.builds(RandomPrune, sparsity=fractions, seed=st.integers(0, 2**62), layers=layers),
    st.builds(Factorize, rank=st.none() | st.integers(1, 999), layers=layers),
    st.builds(Factorize, energy=st.floats(1e-6, 1), layers=layers),
    st.builds(
        Quantize,
        bits=st.sampled_from(BITS),
        scheme=st.sampled_from(["symmetric", "asymmetric"]),
        granularity=st.sampled_from(["tensor", "channel", "group"]),
        clipping=st.sampled_from(["min_max", "percentile", "mse"]),
        percentile=st.floats(50, 100),
        group_size=st.integers(2, 999),
        layers=layers,
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("prune:sparsity=0.9,scope=global", Prune(sparsity=0.9)),
        ("prune:threshold=0.01,layers=fc1", Prune(threshold=0.01, layers=("fc1",))),
        ("random_prune:sparsity=0.5,seed=3", RandomPrune(sparsity=0.5, seed=3)),
        ("quantize", Quantize()),
        (
            "quantize:bits=4,granularity=channel,layers=fc*|conv2",
            Quantize(bits=4, layers=("fc*", "conv2")),
        ),
        (" factorize : rank=3 ".replace(" :", ":"), Factorize(rank=3)),
        ("factorize:energy=0.9,rank=None", Factorize(energy=0.9)),
    ],
)
def test_a_text_stands_for_a_step(text: str, step: AnyStep) -> None:
    assert parse_step(text) == step


def test_the_text_leaves_out_what_is_default() -> None:
    assert format_step(Quantize(bits=8)) == "quantize"
    assert format_step(Prune(sparsity=0.5, layers=("a", "b"))) == "prune:sparsity=0.5,layers=a|b"


@given(steps)
def test_a_step_survives_its_text(step: AnyStep) -> None:
    assert parse_step(format_step(step)) == step


@given(st.lists(steps, max_size=4).map(tuple))
def test_a_recipe_survives_its_json(recipe: Recipe) -> None:
    assert from_json(json.dumps(to_json(recipe))) == recipe


def test_the_json_carries_version_and_settings() -> None:
    assert to_json((Prune(sparsity=0.5), Quantize())) == {
        "version": 1,
        "steps": [{"step": "prune", "sparsity": 0.5}, {"step": "quantize"}],
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shrink:by=2", ["unknown step 'shrink'", "factorize, prune, random_prune", "quantize"]),
        ("", ["unknown step ''", "choose one of"]),
        ("prune:amount=0.5", ["'prune'", "no field 'amount'", "sparsity, threshold, sigmas"]),
        ("prune:sparsity", ["'sparsity'", "not field=value", "such as"]),
        ("prune:sparsity=half", ["sparsity='half'", "must be a number"]),
        ("prune:sparsity=0.1,sparsity=0.2", ["'sparsity' stands twice", "once"]),
        ("quantize:bits=four", ["bits='four'", "must be a whole number"]),
        ("quantize:bits=4.5", ["bits='4.5'", "must be a whole number"]),
        ("random_prune", ["'random_prune'", "missing", "sparsity"]),
        ("prune:sparsity=1", ["sparsity=1", "at least 0 and below 1", "leave no weight"]),
        ("prune:sparsity=nan", ["sparsity=nan", "no number"]),
        ("quantize:bits=0", ["bits=0", "not one of 1, 2, 3", "choose"]),
        ("factorize:rank=0", ["rank=0", "at least 1", "thinnest"]),
        ("prune:sparsity=0.5,layers=", ["layers=('',)", "name at least one"]),
    ],
)
def test_a_bad_text_is_refused_with_value_rule_and_remedy(text: str, words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        parse_step(text)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", ["not JSON"]),
        ("[" * 100_000, ["not JSON"]),
        ("[]", ["something else"]),
        ({"steps": []}, ["version None is not 1", "make the recipe anew"]),
        ({"version": 2, "steps": []}, ["version 2 is not 1", "make the recipe anew"]),
        ({"version": 1}, ['"steps"', "something else"]),
        ({"version": 1, "steps": ["prune"]}, ["'prune' is no step"]),
        ({"version": 1, "steps": [{"step": "shrink"}]}, ["unknown step 'shrink'", "choose"]),
        ({"version": 1, "steps": [{"step": ["prune"]}]}, ["unknown step ['prune']", "choose"]),
        ({"version": 1, "steps": [{"step": "quantize", "bit": 4}]}, ["no field 'bit'", "bits"]),
        ({"version": 1, "steps": [{"step": "random_prune"}]}, ["missing", "sparsity"]),
    ],
)
def test_bad_json_is_refused_by_name(data: Any, words: list[str]) -> None:
    with pytest.raises(RecipeError, match=".*".join(map(re.escape, words))):
        from_json(data)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ({"step": "prune", "sparsity": "0.5"}, ["sparsity='0.5'", "no number"]),
        ({"step": "prune", "sparsity": True}, ["sparsity=True", "no number"]),
        ({"step": "prune", "sparsity": 10**400}, ["sparsity=1000", "below 1"]),
        ({"step": "random_prune", "sparsity": 0.5, "seed": 1.5}, ["seed=1.5", "whole number"]),
        ({"step": "quantize", "bits": 4.0}, ["bits=4.0", "not one of"]),
        ({"step": "quantize", "bits": True}, ["bits=True", "not one of"]),
        ({"step": "quantize", "group_size": 2.5}, ["group_size=2.5", "whole number"]),
        ({"step": "quantize", "layers": "fc1"}, ["layers='fc1'", "('fc*',)"]),
        ({"step": "quantize", "layers": [1]}, ["layers=(1,)", "('fc*',)"]),
        ({"step": "quantize", "layers": []}, ["layers=()", "at least one"]),
        ({"step": "factorize", "rank": 2.0}, ["rank=2.0", "whole number"]),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(step: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        from_json({"version": 1, "steps": [step]})


@given(
    st.sampled_from(list(BY_NAME)),
    st.dictionaries(
        st.sampled_from(["sparsity", "seed", "bits", "layers", "rank", "group_size", "scheme"]),
        json_values,
    ),
)
def test_any_json_is_a_recipe_or_a_value_error(name: str, fields: dict[str, Any]) -> None:
    data = {"version": 1, "steps": [{"step": name, **fields}]}
    try:
        recipe = from_json(data)
    except ValueError:
        return
    assert from_json(to_json(recipe)) == recipe


NEEDED = {"sparsity": 0.5, "pruning_ratio": 0.5}


def make_step(name: str) -> AnyStep:
    """A step of this name, its fields without default filled in."""
    if name == "prune":
        return Prune(sparsity=0.5)
    step = BY_NAME[name].type
    missing = [f.name for f in fields(step) if f.default is MISSING]
    return step(**{field: NEEDED[field] for field in missing})


@pytest.mark.parametrize("name", BY_NAME)
def test_every_step_has_a_text_form_and_a_json_form(name: str) -> None:
    step = make_step(name)
    assert parse_step(format_step(step)) == step
    assert from_json(to_json((step,))) == (step,)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_step_knows_its_name(name: str) -> None:
    step = make_step(name)
    assert row_of(step).name == name


def test_steps_of_different_types_are_never_equal() -> None:
    assert (Prune(sparsity=0.5),) != (RandomPrune(sparsity=0.5),)


def test_settings_are_the_fields_that_differ_from_their_default() -> None:
    assert settings(Quantize(bits=4, scheme="asymmetric")) == {"bits": 4, "scheme": "asymmetric"}


NAMES_WITH_SIGNS = ("a|b", "c,d", "e;f", "g[0]", "h*", "i?", "!j", " k l ", "50%", "m%7Cn", "o:p=q")


@pytest.mark.parametrize("name", NAMES_WITH_SIGNS)
def test_a_name_with_signs_survives_text_and_json(name: str) -> None:
    step = Quantize(bits=4, layers=(name, "fc*"))
    assert parse_step(format_step(step)) == step
    assert from_json(json.dumps(to_json((step,)))) == (step,)
    assert not set(format_step(step).partition("layers=")[2].replace("|", "", 1)) & set(",;| ")


def test_stages_grow_in_the_order_the_kinds_act() -> None:
    quantize, prune = Quantize(bits=4), Prune(sparsity=0.5)
    assert stages((quantize, prune)) == [("prune", (prune,)), ("quantize", (quantize, prune))]


@given(st.lists(steps, max_size=4).map(tuple))
def test_a_recipe_survives_its_line_of_text(recipe: Recipe) -> None:
    assert parse_recipe(format_recipe(recipe)) == recipe


def test_empty_parts_of_a_line_are_no_steps() -> None:
    assert parse_recipe(" ; prune:sparsity=0.9 ;; ") == (Prune(sparsity=0.9),)
