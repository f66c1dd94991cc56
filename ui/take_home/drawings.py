"""The plots of a report, each in light and dark, and the words for who does not see them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import plotly.graph_objects as go

from compress_core.leaving.report import ReportFacts, WeightHistogram
from compress_core.measurement.ledger import OURS
from compress_core.recipe import Recipe, format_recipe
from ui import figures, words
from ui.core_sentences import of_core
from ui.figures.base import add_bins, figure
from ui.language import N_, _
from ui.palette import Palette

MOST_BARS = 40  # layers in one plot


@dataclass(frozen=True)
class Drawing:
    """A plot: its place in the page, what it shows in a sentence, and how it is drawn."""

    id: str
    caption: str
    draw: Callable[[Palette], go.Figure]


# Plotly reads names as HTML of its own, links included: all of somebody's names are escaped.


def plane(facts: ReportFacts) -> Drawing | None:
    """Accuracy against bytes; None where nothing was measured."""
    if facts.score is None or facts.change is None:
        return None
    rows = {name: [_row(*point) for point in points] for name, points in facts.curves.items()}
    curves = {_(name.replace("_", " ")): found for name, found in rows.items()}
    kinds = {
        _(name.replace("_", " ")): {step.kind for recipe, _row_of in points for step in recipe}
        for name, points in facts.curves.items()
    }
    singles = _singles(facts)
    styles = figures.curve_styles(kinds)

    def draw(colors: Palette) -> go.Figure:
        return figures.trade_off_plane(curves, singles, colors, styles=styles)

    metric = words.metric(facts.score.metric)
    return Drawing("plane", _("{metric} against bytes of the stored file", metric=metric), draw)


def _row(recipe: Recipe, row: dict[str, Any]) -> dict[str, Any]:
    about = {"id": format_recipe(recipe), "words": escape(words.describe_recipe(recipe))}
    return {key: value for key, value in row.items() if key != "layers"} | about


def _singles(facts: ReportFacts) -> dict[str, list[dict[str, Any]]]:
    """The original and the recipe, on the images that they were measured on."""
    assert facts.score is not None
    assert facts.baseline is not None
    assert facts.change is not None
    size, zero = facts.size, dict.fromkeys(facts.change.bounds, 0.0)
    original = facts.baseline.as_dict() | zero | {"stored_bytes": size.original_bytes}
    present = facts.score.as_dict() | facts.change.bounds | {"stored_bytes": size.stored_bytes}
    return {
        N_("original"): [_row((), original)],
        N_("present recipe"): [_row(facts.recipe, present)],
    }


def layer_bytes(facts: ReportFacts) -> Drawing:
    rows = sorted(facts.size.layers, key=lambda row: -row.original_bytes)[:MOST_BARS]
    names = [escape(row.name) for row in rows]
    before, after = [row.original_bytes for row in rows], [row.bytes for row in rows]

    def draw(colors: Palette) -> go.Figure:
        return figures.bytes_before_after(names, before, after, colors)

    return Drawing("layers", _("Bytes of each layer, before and after"), draw)


def histograms(facts: ReportFacts) -> list[Drawing]:
    """The weights of the largest layers."""
    return [
        Drawing(f"weights-{i}", _("Weights of {layer}", layer=found.layer), _histogram_of(found))
        for i, found in enumerate(facts.histograms)
    ]


def _histogram_of(found: WeightHistogram) -> Callable[[Palette], go.Figure]:
    def draw(colors: Palette) -> go.Figure:
        shown = figure(colors, x=_("weight"), y=_("weights per bin (log)"), barmode="overlay")
        for name, counts, color in (
            (_("original"), found.before, colors.original),
            (_("compressed"), found.after, colors.compressed),
        ):
            add_bins(shown, counts, found.edges, name=name, color=color)
        shown.update_traces(opacity=0.65)
        shown.update_yaxes(type="log", dtick=1)
        return shown.update_layout(bargap=0)

    return draw


def waterfall(facts: ReportFacts) -> Drawing:
    names = [_(stage.name) for stage in facts.stages]
    sizes = [stage.file_bytes for stage in facts.stages]

    def draw(colors: Palette) -> go.Figure:
        return figures.waterfall(names, sizes, colors)

    return Drawing("waterfall", _("What each stage takes off the file"), draw)


def ledger(facts: ReportFacts) -> Drawing:
    known = [replace(row, name=_(of_core(row.name))) for row in facts.ledger if row.total_bytes]
    bound = next((row.name for row in known if row.is_bound), None)
    names, sizes = [row.name for row in known], [row.total_bytes or 0 for row in known]

    def draw(colors: Palette) -> go.Figure:
        return figures.ledger_bars(names, sizes, colors, bound=bound, ours=_(of_core(OURS)))

    return Drawing("ledger", _("The same weights in every encoding that people use"), draw)
