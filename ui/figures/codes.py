"""Figures of codes: codebooks, symbols, coders, Huffman's tree, gaps."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from compress_core.storage.entropy_coding import HuffmanNode
from ui.figures.base import Array, add_bins, figure, heatmap
from ui.language import _
from ui.palette import Palette

UPRIGHT = 16  # leaves of a tree up to which their names stand side by side
MOST_LINES = 32  # entries of a codebook up to which each has its line through the histogram


def codebook_histogram(counts: Array, edges: Array, codebook: Array, colors: Palette) -> go.Figure:
    """Counts of w before sharing, and the entries of the codebook as ticks below."""
    shown = figure(colors, x=_("weight w"), y=_("weights per bin"), bargap=0)
    add_bins(shown, counts, edges, name=_("before sharing"), color=colors.original)
    if len(codebook):
        shown.add_scatter(
            x=codebook.astype(np.float32),
            y=np.zeros(len(codebook)),
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 18, "color": colors.quantized},
            name=_("{n} entries of the codebook", n=len(codebook)),
            hovertemplate=_("entry %{x:.4f}") + "<extra></extra>",
            cliponaxis=False,
        )
    for entry in codebook.tolist() if len(codebook) <= MOST_LINES else ():
        line = {"color": colors.quantized, "width": 1, "dash": "dot"}
        shown.add_vline(x=entry, line=line, opacity=0.6)
    return shown


def codebook_usage(codebook: Array, usage: Array, colors: Palette, *, own_zero: bool) -> go.Figure:
    """How many weights use each entry (log); an entry that zeros have alone in its own colour."""
    shown = figure(colors, x=_("entry of the codebook"), y=_("weights (log)"), bargap=0.15)
    apart = (codebook == 0) & own_zero
    for name, mask, color in (
        (_("entry"), ~apart, colors.quantized),
        (_("zeros' own entry"), apart, colors.pruned),
    ):
        shown.add_bar(
            x=np.flatnonzero(mask),
            y=usage[mask],
            name=name,
            marker={"color": color, "line": {"width": 0}},
            customdata=codebook[mask],
            hovertemplate=_("entry %{x}, value %{customdata:.4f}<br>%{y:,} weights")
            + "<extra></extra>",
        )
    shown.update_layout(showlegend=bool(apart.any()))
    _log_counts(shown, usage)
    return shown


def _log_counts(shown: go.Figure, counts: Array) -> None:
    """A log axis on which a single one still has a bar."""
    top = np.log10(max(1, counts.max()))
    shown.update_yaxes(type="log", dtick=1, range=[-0.3, 1.05 * top + 0.1])


def symbol_histogram(
    meanings: Sequence[str], counts: Array, ideal_bits: Array, colors: Palette, *, x: str
) -> go.Figure:
    """How often each symbol occurs; on hover the bits that its probability asks for. The bits of a
    mask, "pruned" and "kept" in the reader's language, have the colours of these."""
    roles = {_("pruned"): colors.pruned, _("kept"): colors.kept}
    shown = figure(colors, x=x, y=_("symbols (log)"), bargap=0.1)
    shown.add_bar(
        x=list(meanings),
        y=counts,
        marker={"color": [roles.get(m, colors.quantized) for m in meanings], "line": {"width": 0}},
        customdata=np.stack([counts / max(1, counts.sum()), ideal_bits], axis=1),
        hovertemplate=_(
            "%{x}: %{y:,} times, %{customdata[0]:.2%}<br>worth %{customdata[1]:.2f} bits"
        )
        + "<extra></extra>",
    )
    shown.update_xaxes(type="category", showgrid=False, nticks=18)
    _log_counts(shown, counts)
    return shown


def coder_bars(
    coders: Sequence[str],
    sizes: Sequence[int],
    bits: Sequence[float],
    colors: Palette,
    *,
    taken: Sequence[bool],
    bound: float,
) -> go.Figure:
    """Bits a weight by each coder, its bytes beside; the entropy bound as a line."""
    shown = figure(colors, x=_("bits per weight"), y="", showlegend=False)
    shown.add_bar(
        x=bits,
        y=list(coders),
        orientation="h",
        marker={"color": [colors.compressed if own else colors.original for own in taken]},
        customdata=list(sizes),
        hovertemplate=_("%{y}: %{x:.3f} bits a weight, %{customdata:,} bytes") + "<extra></extra>",
        cliponaxis=False,
    )
    shown.add_vline(
        x=bound,
        line={"color": colors.text, "dash": "dash", "width": 1.5},
        annotation_text=_("entropy bound {bound:.3f}", bound=bound),
        annotation_position="top",
    )
    end = max(*bits, bound)
    shown.add_scatter(  # in a column of their own, where neither bars nor bound cross them
        x=[1.04 * end] * len(coders),
        y=list(coders),
        mode="text",
        text=[f"{b:.3f} · {size:,} B" for b, size in zip(bits, sizes, strict=True)],
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
    )
    shown.update_xaxes(range=[0, 1.75 * end])
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)")
    return shown


def huffman_tree(
    tree: HuffmanNode, meanings: Sequence[str], colors: Palette, *, path: str = ""
) -> go.Figure:
    """The tree from its root on top: 0 to the left, 1 to the right; the branches of `path`, a
    symbol's code, in the compressed colour."""
    places = _place(tree)
    depth = max(len(code) for code in places)
    shown = figure(colors, x="", y="", height=max(240, 90 + 42 * depth), showlegend=False)
    marked = {path[: i + 1] for i in range(len(path))}
    for on_path, color, width in ((False, colors.original, 1), (True, colors.compressed, 4)):
        x: list[float | None] = []
        y: list[float | None] = []
        for code, (across, _node) in places.items():
            if code and (code in marked) == on_path:
                x += [places[code[:-1]][0], across, None]
                y += [1 - len(code), -len(code), None]
        line = {"color": color, "width": width}
        shown.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip")
    _add_nodes(shown, places, meanings, colors)
    shown.update_xaxes(visible=False)
    shown.update_yaxes(visible=False, range=[-depth - 1.4, 0.5])
    return shown


def _place(tree: HuffmanNode) -> dict[str, tuple[float, HuffmanNode]]:
    """Where each node stands from left to right, by its code; leaves one after the other."""
    places: dict[str, tuple[float, HuffmanNode]] = {}

    def walk(node: HuffmanNode, free: float) -> float:
        """Place the nodes below from `free` on; the next free place."""
        if not node.branches:
            places[node.code] = (free, node)
            return free + 1
        for branch in node.branches:
            free = walk(branch, free)
        below = [places[branch.code][0] for branch in node.branches]
        places[node.code] = (sum(below) / len(below), node)
        return free

    walk(tree, 0.0)
    return places


def _add_nodes(
    shown: go.Figure,
    places: dict[str, tuple[float, HuffmanNode]],
    meanings: Sequence[str],
    colors: Palette,
) -> None:
    total = places[""][1].count
    leaves = {code: at for code, at in places.items() if at[1].symbol is not None}
    inner = {code: at for code, at in places.items() if at[1].symbol is None}
    bits = {code: at for code, at in places.items() if code}
    shown.add_scatter(  # the bit of each branch, beside its lower end
        x=[at for at, _node in bits.values()],
        y=[0.42 - len(code) for code in bits],
        mode="text",
        text=[code[-1] for code in bits],
        textfont={"size": 11, "color": colors.original},
        hoverinfo="skip",
    )
    for at, leaf in leaves.values():
        assert leaf.symbol is not None
        shown.add_annotation(
            x=at,
            y=-len(leaf.code),
            text=meanings[leaf.symbol],
            showarrow=False,
            yanchor="top",
            yshift=-7,
            textangle=0 if len(leaves) <= UPRIGHT else -90,
        )
    for nodes, color, size in ((inner, colors.original, 6), (leaves, colors.quantized, 11)):
        shown.add_scatter(
            x=[at for at, _node in nodes.values()],
            y=[-len(code) for code in nodes],
            mode="markers",
            marker={"color": color, "size": size},
            customdata=[
                [code, node.count, node.count / total] for code, (_at, node) in nodes.items()
            ],
            hovertemplate=_(
                "code %{customdata[0]}<br>%{customdata[1]:,} times, %{customdata[2]:.2%}"
            )
            + "<extra></extra>",
        )


def context_classes(densities: Array, colors: Palette) -> go.Figure:
    """Share of symbols that are not the usual one, by classes of rows and columns."""
    shown = heatmap(
        densities,
        colors,
        axes=(_("class of the input (column)"), _("class of the output (row)")),
        title=_("not the usual symbol"),
        limits=(0.0, float(densities.max()) or 1.0),
        height=240,
    )
    shown.update_traces(
        texttemplate="%{z:.1%}",
        hovertemplate=_("row class %{y}, column class %{x}: %{z:.1%}") + "<extra></extra>",
        colorbar={"tickformat": ".0%"},
    )
    shown.update_xaxes(dtick=1)
    shown.update_yaxes(dtick=1)
    return shown


def gap_strip(
    symbols: Sequence[str], entries: Array, gaps: Sequence[str], start: int, colors: Palette
) -> go.Figure:
    """A piece of a layer, symbol by symbol: those that are stored in the kept colour with the gap
    before them above, the usual one in the pruned colour."""
    shown = figure(colors, x=_("index of the weight in the layer"), y="", height=150, bargap=0.08)
    index = np.arange(start, start + len(symbols))
    for name, mask, color in (
        (_("the usual symbol, not stored"), ~entries, colors.pruned),
        (_("stored"), entries, colors.kept),
    ):
        shown.add_bar(
            x=index[mask],
            y=np.ones(int(mask.sum())),
            name=name,
            marker={"color": color, "line": {"width": 0}},
            text=[text for text, there in zip(gaps, mask.tolist(), strict=True) if there],
            textposition="outside",
            textangle=0,
            cliponaxis=False,
            customdata=[s for s, there in zip(symbols, mask.tolist(), strict=True) if there],
            hovertemplate=_("weight %{x}: symbol %{customdata}") + "<extra></extra>",
        )
    shown.update_layout(barmode="stack")
    shown.update_yaxes(visible=False, range=[0, 1.6])
    shown.update_xaxes(showgrid=False, tickformat=",d")
    return shown
