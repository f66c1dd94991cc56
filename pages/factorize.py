"""Factorize: one weight becomes two or three thinner ones; the spectrum shows what is dropped."""

from functools import partial

import numpy as np
import streamlit as st

from compress_core import factor_steps
from compress_core.recipe import up_to
from compress_core.views import summaries
from compress_core.views.ranks import singular_values
from ui import figures, in_view, words
from ui.factorize import factors, live, table
from ui.factorize.controls import show_factorization
from ui.factorize.factors import Choice
from ui.language import _
from ui.panels import farthest
from ui.panels.chart import chart, twin
from ui.panels.page import frame, framed_heading, heading
from ui.session import caches, fragments, state
from ui.session.state import Current

FORMULAS = {
    "channel": r"W \approx U_r \Sigma_r V_r^\top, \qquad r \le \frac{m\,n}{m + n}",
    "spatial": r"W_{oiyx} \approx \sum_{q \le r} a_{qiy}\, b_{oqx}",
    "tucker": r"W_{oi\cdot} \approx \sum_{p,q} U_{op}\, C_{pq\cdot}\, V_{iq}",
}


@fragments.body
def factorize() -> None:
    current = state.current()
    layers = current.compressed.base.layers
    if not factor_steps.able(layers):
        heading(_("Factorize"), _("Run a layer as thinner ones."), FORMULAS["channel"])
        st.info(_("No layer of this model can run as factors."))
        return
    place = frame()
    with place.controls:
        settings = show_factorization(current)
        if settings.whole:
            whole_sentence(current)
        else:
            sentence(current, settings)
        farthest.show(current, "factorize")
    with place.title:
        framed_heading(
            _("Factorize"),
            _(
                "Run one layer as two or three thinner ones that keep its largest singular values. "
                "Only up to the break-even rank are they smaller and faster."
            ),
            FORMULAS[settings.form],
        )
    with place.live:
        live.show(current, settings)
    if not settings.whole:
        spectrum_table(current, settings)
    in_view.lazily("factorize_more", partial(more, current, settings.layer))


def sentence(current: Current, settings: Choice) -> None:
    """A sentence on what the rank keeps and costs."""
    stored = current.compressed.layers[settings.layer]
    row = next(row for row in current.size.layers if row.name == settings.layer)
    dense = stored.layer.weight.numel()
    at = _("at {ranks}", ranks=table.ranks(stored.ranks)) if stored.ranks else _("in one piece")
    more = _(", :orange[more than before: choose a smaller rank]")
    st.markdown(
        _(
            "**{layer}** ({shape}) {at} keeps {share} of {what} with {n:,} weights of "
            "{dense:,}{larger}.",
            layer=settings.layer,
            shape=words.shape(stored.layer.shape),
            at=at,
            share=words.percent(factors.energy_kept(current, settings.layer)),
            what=_("the energy of its outputs") if settings.samples else _("its energy"),
            n=row.parameters,
            dense=dense,
            larger=more if row.parameters > dense else "",
        )
    )


def spectrum_table(current: Current, settings: Choice) -> None:
    values = singular_values(factors.drawn(current, settings))
    twin(
        "factorize_spectrum",
        _("Singular values of {layer}", layer=settings.layer),
        {"i": np.arange(1, len(values) + 1), "σ / σ₁": values / (values[0] or 1)},
    )


def whole_sentence(current: Current) -> None:
    """What the layers of the budget keep together."""
    share = factors.share_kept(current)
    own = dict.fromkeys(map(words.describe, factors.exceptions(current).values()))
    st.markdown(
        _(
            "{layers} together keep {share} of their weights{larger}, and on average {energy} of "
            "their energy.",
            layers=_("The other layers") if own else _("All layers"),
            share=words.percent(share),
            larger=_(": :orange[more than before, keep less energy]") if share > 1 else "",
            energy=words.percent(factors.mean_energy(current)),
        )
    )
    if own:
        st.caption(_("Layers with a step of their own: {steps}.", steps=_("; ").join(own)))


def more(current: Current, layer: str) -> None:
    """The drawn layer's weights, and a table of all layers."""
    weights_before_after(current, layer)
    table.show(current)


def weights_before_after(current: Current, layer: str) -> None:
    """The weight, what stands in its place before pruning and codes, and the difference."""
    alone = up_to(current.recipe, "factorize")
    dense = summaries.low_rank_view(caches.compressed(current.model, alone).layers[layer])
    limit = summaries.colour_limit(dense["W"])
    for column, (name, picture) in zip(st.columns(3), dense.items(), strict=True):
        with column:
            chart(
                figures.heatmap(
                    picture,
                    state.colors(),
                    axes=(_("input"), _("output")),
                    title=_("weight"),
                    limits=(-limit, limit),
                    height=260,
                ),
                f"factorize_{name}",
                _("{what} of {layer}", what=name, layer=layer),
                {_("output"): np.arange(len(picture)), _("mean |w|"): np.abs(picture).mean(1)},
            )


factorize()
