"""The session's keys, and the present state: model, recipe, and what came of it."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from compress_core import Original, Recipe
from compress_core.compressed import Compressed
from compress_core.measurement.report import Size
from compress_core.recipe import format_recipe
from compress_core.sources import model_names
from compress_core.steps import AnyStep
from compress_core.trained import NotTrained
from ui import language
from ui.palette import Palette, palette
from ui.session import address, caches, models, recipe_field, turns, values
from ui.session.beside import helper

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_MODEL = model_names()[0]


@dataclass(frozen=True)
class Refusal:
    """A step of the recipe that does not fit the model, and why."""

    step: AnyStep
    reason: str


@dataclass(frozen=True)
class Fitting:
    """What of a recipe can be shown: the steps that fit the model, those that do not, and, from the
    first step on that is not trained yet, those that wait for it."""

    recipe: Recipe
    refusals: tuple[Refusal, ...]
    waiting: Recipe


@dataclass(frozen=True)
class Current:
    """What every page shows: the model, the steps that fit it, and the result. `waiting` are the
    steps that are set aside: the first is to be trained, see the page Recover."""

    model: str
    original: Original
    recipe: Recipe
    refusals: tuple[Refusal, ...]
    waiting: Recipe
    compressed: Compressed
    size: Size

    @property
    def label(self) -> str:
        """Model and recipe as a few letters, by which the browser tells whose number it has."""
        return f"{zlib.crc32(f'{self.model} {format_recipe(self.recipe)}'.encode()):08x}"


def ensure() -> None:
    """Give the session its keys, once; the address may set them, wrong values give a notice."""
    if "notices" in st.session_state:
        st.session_state.notices += map(models.gone_notice, models.forget_gone())
        recipe_field.assert_bound("model", chosen_model())
        recipe_field.settle_recipe_text()
        recipe_field.assert_bound("recipe", st.session_state.recipe_written)
        return
    query = st.query_params.to_dict()
    seeds, notices = address.read(query, DEFAULT_MODEL, lambda model: caches.original(model).layers)
    st.session_state.notices = notices
    st.session_state.recipe_echoes = []
    for key, value in seeds.items():
        st.session_state[key] = value
    models.add(seeds["model"])
    st.session_state.recipe_written = seeds["recipe"]
    for key in address.CONTROLS.keys() & query.keys():  # from here on the recipe says it
        del st.query_params[key]
    if language.KEY in query and not values.text(language.KEY):  # the address need not say it
        del st.query_params[language.KEY]
    if seeds["recipe"]:
        st.query_params["recipe"] = seeds["recipe"]
    elif "recipe" in st.query_params:  # it could not be read
        del st.query_params["recipe"]


def chosen_model() -> str:
    """The name of the present model."""
    return values.chosen("model", models.names())


def current() -> Current:
    """The present model and recipe, compressed; steps that cannot be shown are set aside."""
    return shown_as(chosen_model(), recipe_field.session_recipe())


def shown_as(model: str, recipe: Recipe) -> Current:
    """A model and a recipe as pages show it."""
    helper.foresee(caches.state(model, recipe))  # while its weights are made here, for the pictures
    split = split_fitting(model, recipe)
    if helper.works_on(fitting := caches.state(model, split.recipe)):
        with turns.given_away():
            helper.size(fitting)
    made, size = caches.compressed(model, split.recipe), caches.size(model, split.recipe)
    original = caches.original(model)
    return Current(model, original, split.recipe, split.refusals, split.waiting, made, size)


def split_fitting(model: str, recipe: Recipe) -> Fitting:
    """The steps that fit the model, those that do not with the reason, and those that wait."""
    fitting: Recipe = ()
    refusals: list[Refusal] = []
    for i, step in enumerate(recipe):
        try:
            caches.compressed(model, (*fitting, step))
        except NotTrained:
            return Fitting(fitting, tuple(refusals), recipe[i:])
        except ValueError as error:
            refusals.append(Refusal(step, str(error)))
        else:
            fitting = (*fitting, step)
    return Fitting(fitting, tuple(refusals), ())


def colors() -> Palette:
    """The palette of the theme that the browser shows."""
    return palette(st.context.theme.type)
