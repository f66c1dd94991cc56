"""How three coders work, on the real symbols of a layer: Huffman, gaps, contexts."""

import numpy as np
import streamlit as st

from compress_core.views import coding
from compress_core.views.coding import Coding, takes
from compress_core.views.huffman_codes import CodeWord
from ui import figures
from ui.encode import codings
from ui.encode.codings import Place
from ui.encode.controls import choose_gap_bits, choose_symbol
from ui.language import _
from ui.panels.chart import chart
from ui.session import state


def show(place: Place, found: Coding) -> None:
    """A tab for each; only the open one is computed."""
    tabs = st.tabs(
        [_("How Huffman decodes"), _("How gaps are coded"), _("What contexts see")],
        key="encode_tabs",
        on_change="rerun",
    )
    ways = (("huffman", _huffman), ("gap_huffman", _gaps), ("context", _contexts))
    for tab, (coder, draw) in zip(tabs, ways, strict=True):
        if not tab.open:
            continue
        with tab:
            if takes(coder, found):
                draw(place, found)
            else:
                st.caption(
                    _(
                        "{n:,} kinds of symbols are too many for this coder: its table would cost "
                        "more than the coding saves.",
                        n=found.alphabet,
                    )
                )


def _huffman(place: Place, found: Coding) -> None:
    """The code as a tree, or as a table where it has too many leaves; the first symbols."""
    code, names = codings.huffman(place), codings.names(found)
    table = code.table
    if not code.first:
        st.caption(_("All symbols are the same: the table says it all, and no bits follow."))
        return
    chosen = code.first[choose_symbol(len(code.first))]
    _first_symbols(code.first, chosen, names)
    lengths = {
        _("symbol"): [names[symbol] for symbol in table.symbols],
        _("code"): table.codes,
        _("length, bits"): table.lengths,
        _("−log₂ p, bits"): table.ideal_bits,
        _("count"): table.counts,
    }
    if code.tree is None:
        st.markdown(_("**Lengths of the codes**"))
        st.dataframe(lengths, hide_index=True, placeholder="—", alt=_("Code of each symbol"))
    else:
        chart(
            figures.huffman_tree(code.tree, names, state.colors(), path=chosen.bits),
            "encode_tree",
            _("Huffman's tree of {layer}: 0 to the left, 1 to the right", layer=place.layer),
            lengths,
        )
    st.caption(
        _(
            "A code has whole bits, so a symbol that is nearly certain still costs one. ANS spends "
            "fractions of bits: over a whole layer it comes to −log₂ p for each symbol."
        )
    )


def _first_symbols(first: tuple[CodeWord, ...], chosen: CodeWord, names: list[str]) -> None:
    """The stream's first bits, cut where a symbol ends."""
    marked = {id(chosen): f":violet[**{chosen.bits}**]"}
    bits = " ".join(marked.get(id(word), word.bits) for word in first)
    st.markdown(_("The stream begins {bits} …", bits=bits))
    st.markdown(
        _(
            "Walk down the tree, bit by bit: :violet[**{bits}**] ends at the leaf **{leaf}**. The "
            "next bit starts at the root again: no code is the beginning of another, so nothing "
            "has to separate them.",
            bits=chosen.bits,
            leaf=names[chosen.symbol],
        )
    )


def _gaps(place: Place, found: Coding) -> None:
    """Sparse symbols as distances, on a piece from the middle of the layer."""
    best = codings.best_gap_bits(place)
    piece = coding.gap_piece(found, choose_gap_bits(best))
    names = codings.names(found)
    entries = np.isin(np.arange(len(piece.symbols)), piece.places)
    chart(
        figures.gap_strip(
            [names[symbol] for symbol in piece.symbols],
            entries,
            codings.gap_labels(piece),
            piece.start,
            state.colors(),
        ),
        "encode_gaps",
        _("{n} weights from the middle of {layer}", n=len(piece.symbols), layer=place.layer),
        {
            _("index"): piece.start + piece.places,
            _("distance"): piece.gaps + 1,
            _("symbol"): [names[piece.symbols[at]] for at in piece.places],
            _("filler"): piece.is_filler,
        },
    )
    st.markdown(codings.gap_sentence(piece, best))
    st.caption(codings.gap_advice(found, names[piece.usual]))


def _contexts(place: Place, _found: Coding) -> None:
    """The classes of rows and columns, and how differently they are filled."""
    with st.spinner(_("Finding the classes of rows and columns…")):
        densities = codings.contexts(place)
    rows, columns = densities.shape
    st.markdown(codings.context_sentence(densities))
    if densities.size > 1:
        chart(
            figures.context_classes(densities, state.colors()),
            "encode_contexts",
            _(
                "Share of unusual symbols in {rows} × {columns} contexts",
                rows=rows,
                columns=columns,
            ),
            {_("column class {n}", n=i): densities[:, i] for i in range(columns)},
        )
