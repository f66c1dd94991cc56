"""A recipe is a plain tuple of steps. Here stand its text form and its JSON form.

A step that trains ends a stage. Inside a stage the last of several steps of one kind that name a
layer wins, and kinds act in the order of KINDS. So an exception for a layer is just a later step,
and repeating the steps of a stage that does not train changes nothing.
"""

import dataclasses
import json
import re
import types
import typing
import urllib.parse
from collections.abc import Collection
from typing import Any

from compress_core.steps import BY_NAME, KINDS, TRAINING, AnyStep, row_of

Recipe = tuple[AnyStep, ...]

SCHEMA_VERSION = 1
SEPARATOR = ";"  # between the steps of a recipe in one line


class RecipeError(ValueError):
    """A recipe's text or JSON cannot be read, or names what does not exist."""


def of_kinds(recipe: Recipe, kinds: Collection[str]) -> Recipe:
    """The steps of a recipe that are of one of the kinds."""
    return tuple(step for step in recipe if step.kind in kinds)


def split_stages(recipe: Recipe) -> list[Recipe]:
    """The stages of a recipe: all but the last end with a step that trains, the last may be empty.

    Inside a stage the kinds act in the order of KINDS.
    """
    found: list[Recipe] = []
    stage: Recipe = ()
    for step in recipe:
        stage = (*stage, step)
        if step.kind == TRAINING:
            found.append(stage)
            stage = ()
    return [*found, stage]


def stage_of(recipe: Recipe, index: int) -> int:
    """In which stage the `index`-th step stands, counted from 0."""
    return len(of_kinds(recipe[:index], (TRAINING,)))


def without_kinds(recipe: Recipe, kinds: Collection[str]) -> Recipe:
    """The recipe up to the last stage that has steps of the kinds, without these steps.

    What is trained after them depends on them, so it is left out. A recipe without such steps is
    given back whole.
    """
    done, stage = _last_stage(recipe, kinds)
    if not of_kinds(stage, kinds):
        return recipe
    left_out = (*kinds, TRAINING)
    return (*done, *(step for step in stage if step.kind not in left_out))


def up_to(recipe: Recipe, kind: str) -> Recipe:
    """The steps that act before those of `kind`, and these."""
    return _until(recipe, kind, (*kinds_before(kind), kind))


def before(recipe: Recipe, kind: str) -> Recipe:
    """The steps that act before those of `kind`."""
    return _until(recipe, kind, kinds_before(kind))


def _until(recipe: Recipe, kind: str, kinds: Collection[str]) -> Recipe:
    done, stage = _last_stage(recipe, (kind,))
    return (*done, *of_kinds(stage, kinds))


def _last_stage(recipe: Recipe, kinds: Collection[str]) -> tuple[Recipe, Recipe]:
    """The last stage with steps of the kinds, or the last of all, and what comes before it."""
    found = split_stages(recipe)
    having = [i for i, stage in enumerate(found) if of_kinds(stage, kinds)]
    place = having[-1] if having else len(found) - 1
    return tuple(step for stage in found[:place] for step in stage), found[place]


def kinds_before(kind: str) -> tuple[str, ...]:
    """The kinds that act before `kind` in a stage."""
    return KINDS[: KINDS.index(kind)]


def stages(recipe: Recipe) -> list[tuple[str, Recipe]]:
    """The kinds that a recipe uses, in the order they act, each with the steps so far; after a
    step that trains they may come again."""
    found: list[tuple[str, Recipe]] = []
    done: Recipe = ()
    for stage in split_stages(recipe):
        used = [kind for kind in KINDS if of_kinds(stage, (kind,))]
        found += [(k, (*done, *of_kinds(stage, used[: i + 1]))) for i, k in enumerate(used)]
        done = (*done, *stage)
    return found


def settings(step: AnyStep) -> dict[str, Any]:
    """The fields of a step that differ from their defaults."""
    return {
        field.name: getattr(step, field.name)
        for field in dataclasses.fields(step)
        if getattr(step, field.name) != field.default
    }


def format_step(step: AnyStep) -> str:
    """The text form of a step: `prune:sparsity=0.9,layers=fc*|conv2`."""
    fields = ",".join(f"{name}={_format(value)}" for name, value in settings(step).items())
    name = row_of(step).name
    return f"{name}:{fields}" if fields else name


def _format(value: object) -> str:
    return "|".join(map(_quote, value)) if isinstance(value, tuple) else str(value)


def _quote(pattern: str) -> str:
    """A pattern with separators (of patterns, fields, steps) as in an address: %7C for |."""
    return re.sub(r"[%,|;\s]", lambda sign: urllib.parse.quote(sign[0]), pattern)


def parse_step(text: str) -> AnyStep:
    """The step that a text form stands for; several layer patterns are joined by `|`.

    A pattern with one of `,|;%` or a space in it is written as in an address: `a%7Cb` is a|b.

    Raises RecipeError for an unknown step or field and for a value of the wrong type, ValueError
    for one out of range.
    """
    name, _, rest = text.strip().partition(":")
    types_by_field = field_types(name)
    values: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        field, equals, value = part.partition("=")
        field = field.strip()
        if not equals:
            raise RecipeError(f"{part!r} in step {text!r} is not field=value, such as layers=fc*")
        if field in values:
            raise RecipeError(f"{field!r} stands twice in step {text!r}; give it once")
        _check_field(name, field, types_by_field)
        values[field] = _parse_value(name, field, value.strip(), types_by_field[field])
    return _build(name, values)


def field_types(name: str) -> dict[str, Any]:
    """The fields of the step called `name` and their types. Raises RecipeError if there is none."""
    if not isinstance(name, str) or name not in BY_NAME:
        raise RecipeError(f"unknown step {name!r}; choose one of {', '.join(BY_NAME)}")
    step_type = BY_NAME[name].type
    hints = typing.get_type_hints(step_type)
    return {field.name: hints[field.name] for field in dataclasses.fields(step_type)}


def _check_field(step: str, field: str, known: dict[str, Any]) -> None:
    if field not in known:
        raise RecipeError(f"step {step!r} has no field {field!r}; it has {', '.join(known)}")


def _parse_value(step: str, field: str, text: str, hint: Any) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if tuple[str, ...] in options:
        return tuple(map(urllib.parse.unquote, text.split("|")))
    if text in {"", "None"} and type(None) in options:
        return None
    if bool in options:
        return _parse_bool(step, field, text)
    number: type[int] | type[float] | None = next((t for t in (int, float) if t in options), None)
    if number is None:
        return text
    try:
        return number(text)
    except ValueError:
        wanted = "a whole number" if number is int else "a number"
        raise RecipeError(f"{field}={text!r} of step {step!r} must be {wanted}") from None


def _parse_bool(step: str, field: str, text: str) -> bool:
    if text not in {"True", "False"}:
        raise RecipeError(f"{field}={text!r} of step {step!r} must be True or False")
    return text == "True"


def _build(name: str, values: dict[str, Any]) -> AnyStep:
    try:
        return BY_NAME[name].type(**values)
    except TypeError as error:  # a field without default is missing
        missing = str(error).rpartition(": ")[2]
        raise RecipeError(f"step {name!r}: {missing} is missing; add it, as sparsity=0.5") from None


def format_recipe(recipe: Recipe) -> str:
    """A recipe as one line: its steps' text forms joined by `;`."""
    return SEPARATOR.join(format_step(step) for step in recipe)


def parse_recipe(text: str) -> Recipe:
    """The recipe in such a line; empty parts are skipped. Raises what `parse_step` raises."""
    return tuple(parse_step(part) for part in text.split(SEPARATOR) if part.strip())


def to_json(recipe: Recipe) -> dict[str, Any]:
    """A recipe as JSON-ready data: {"version": 1, "steps": [{"step": "prune", …}, …]}."""
    return {
        "version": SCHEMA_VERSION,
        "steps": [{"step": row_of(step).name, **settings(step)} for step in recipe],
    }


def from_json(data: str | dict[str, Any]) -> Recipe:
    """The recipe in a JSON text or its parsed data.

    Raises RecipeError for another version, an unknown step, or an unknown field, by name.
    """
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (json.JSONDecodeError, RecursionError) as error:
            raise RecipeError(f"the recipe is not JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("steps"), list):
        raise RecipeError('a recipe is {"version": 1, "steps": [...]}; this is something else')
    unknown = sorted(set(data) - {"version", "steps"})
    if unknown:
        raise RecipeError(f"a recipe has no field {unknown[0]!r}; it has version and steps")
    if type(data.get("version")) is not int or data["version"] != SCHEMA_VERSION:
        raise RecipeError(
            f"recipe version {data.get('version')!r} is not {SCHEMA_VERSION}; "
            "make the recipe anew with this version of the explorer"
        )
    return tuple(_step_from_json(entry) for entry in data["steps"])


def from_file(data: str | dict[str, Any]) -> Recipe:
    """The recipe of a stored file: its text form, or its JSON data in the readable form.

    Raises what `parse_step` or `from_json` raises.
    """
    return parse_recipe(data) if isinstance(data, str) else from_json(data)


def _step_from_json(entry: Any) -> AnyStep:
    if not isinstance(entry, dict) or "step" not in entry:
        raise RecipeError(f'{entry!r} is no step; a step is {{"step": "prune", …}}')
    values = {field: value for field, value in entry.items() if field != "step"}
    known = field_types(entry["step"])
    for field, value in values.items():
        _check_field(entry["step"], field, known)
        values[field] = tuple(value) if isinstance(value, list) else value
    return _build(entry["step"], values)
