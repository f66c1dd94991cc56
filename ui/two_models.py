"""One codebook for two models: what it saves, and what it costs."""

import streamlit as st

from compress_core import MODELS
from ui import codebooks, words
from ui.controls.share_weights import chosen_sharing
from ui.state import Current


def show(current: Current) -> None:
    """The choice of a second model; with one, own codebooks against a common one."""
    st.markdown("**One codebook for two models**")
    others = [name for name in MODELS if name != current.model]
    if st.session_state.get("share_second") not in others:
        st.session_state.share_second = None
    second: str | None = st.selectbox(
        "Second model",
        others,
        key="share_second",
        placeholder="Choose a second model",
        width=280,
        help="Both models as the recipe leaves them before sharing, with the settings above.",
    )
    if second is None:
        return
    recipe = codebooks.unshared(current.recipe)
    step = chosen_sharing(current.recipe)
    found = codebooks.owners(current.model, second, recipe, step)
    table: dict[str, list[str | int | float]] = {
        "codebooks": [f"{codebooks.OWNERS[way.owner]} ({way.codebooks})" for way in found],
        "bytes of codebooks": [way.codebook_bytes for way in found],
    }
    for i, name in enumerate((current.model, second)):
        table |= {
            f"{name}: bytes of indices": [way.index_bytes[i] for way in found],
            f"{name}: SSE": [way.sse[i] for way in found],
        }
    table["bytes together"] = [way.total_bytes for way in found]
    st.dataframe(table, hide_index=True, alt="Own codebooks against a common one")
    st.markdown(codebooks.verdict(found))
    st.caption(
        f"{words.describe(step).capitalize()}. Each codebook is counted once, the indices in their "
        "smallest encoding; biases, norms and headers stay as they are."
    )
