"""Tables of shared weights: each layer, and one codebook for two models."""

import streamlit as st

from compress_core import MODELS
from ui.language import _
from ui.session import values
from ui.session.state import Current
from ui.share_weights import codebooks
from ui.share_weights.controls import chosen_sharing


def layers(current: Current) -> None:
    """What sharing made of each layer."""
    rows = codebooks.rows(current.model, current.recipe)
    st.markdown(_("**Each layer**"))
    st.dataframe(
        codebooks.layer_table(rows, current.size),
        hide_index=True,
        placeholder="—",
        column_config={
            _("SSE"): st.column_config.NumberColumn(format="%.4g"),
            _("SQNR, dB"): st.column_config.NumberColumn(format="%.1f"),
            _("bytes"): st.column_config.NumberColumn(format="localized"),
        },
        alt=_("Clusters, error and bytes of each shared layer"),
    )
    st.caption(
        _(
            "SSE is Σ (w − w′)² against the weights before sharing; the optimum is that of a "
            "codebook of the layer's own. SQNR is against the trained weights: pruning counts as "
            "noise, too. A common codebook is counted in the first layer that uses it."
        )
    )


def two_models(current: Current) -> None:
    """The choice of a second model; with one, own codebooks against a common one."""
    st.markdown(_("**One codebook for two models**"))
    others = [name for name in MODELS if name != current.model]
    values.repair("share_second", values.chosen("share_second", [None, *others]))
    second: str | None = st.selectbox(
        _("Second model"),
        others,
        key="share_second",
        persist_state="session",
        placeholder=_("Choose a second model"),
        width=280,
        help=_("Both models as the recipe leaves them before sharing, with the settings above."),
    )
    if second is None:
        return
    recipe = codebooks.unshared(current.recipe)
    step = chosen_sharing(current.recipe)
    with st.spinner(_("Clustering the weights of both models…")):
        found = codebooks.owners(current.model, second, recipe, step)
    names = (current.model, second)
    st.dataframe(
        {_("codebooks"): codebooks.quantities(names)}
        | {_(codebooks.OWNERS[way.owner]): codebooks.numbers(way) for way in found},
        hide_index=True,
        placeholder="—",
        alt=_("Bytes and error with own codebooks, and with a common one"),
    )
    st.markdown(codebooks.saving(found))
    st.caption(
        _(
            "{clusters:,} clusters a codebook, {start} start. Bytes of a model are its indices in "
            "their smallest encoding; each codebook is counted once, however many layers use it. "
            "Biases, norms and headers stay as they are.",
            clusters=step.clusters,
            start=_(step.init),
        )
    )
