"""Factorize: what the chosen rank, or the budget, keeps and costs."""

import streamlit as st

from ui import words
from ui.factorize import factors, table
from ui.factorize.factors import Choice
from ui.language import _
from ui.session.state import Current


def of_layer(current: Current, settings: Choice) -> None:
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


def of_model(current: Current) -> None:
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
