"""The layers on the graph page: a strip of boxes above the viewers, a table of numbers below them.

Both are drawn by the browser alone: a click in the strip scrolls to the layer's row.
"""

from html import escape
from pathlib import Path

import streamlit as st

from compress_core.measurement.report import LayerRow
from ui import words
from ui.language import N_, _
from ui.session import caches, state
from ui.session.state import Current

HERE = Path(__file__).parent
HEADINGS = (
    *(N_("layer"), N_("shape"), N_("sparsity"), N_("bits"), N_("rank"), N_("bytes"), N_("before")),
    *(N_("SQNR, dB"), N_("MACs"), N_("before"), N_("stored as")),
)


def strip(current: Current) -> None:
    """A box for each layer: its width are the bytes, its colour the sparsity or the bits."""
    component = st.components.v2.component(
        "layer_strip",
        html='<div class="layer-strip"></div>',
        css=(HERE / "layer_strip.css").read_text(),
        js=(HERE / "layer_strip.js").read_text(),
    )
    colors = state.colors()
    roles = ("kept", "pruned", "quantized", "original")
    component(
        key="graph_layer_strip",
        data={
            "layers": boxes(current),
            "colours": {role: getattr(colors, role) for role in roles},
            "texts": {
                "title": _("Layers, as wide as their bytes"),
                "layers": _("Layers"),
                "changed": _("changed"),
                "colour": _("Colour by"),
                "shows": {"sparsity": _("sparsity"), "bits": _("bits")},
                "ends": {
                    "sparsity": [_("no zeros"), _("all zeros")],
                    "bits": [_bits(32), _bits(1)],
                },
            },
        },
    )


def boxes(current: Current) -> list[dict[str, object]]:
    """What each box shows."""
    return [_box(row, before) for row, before in _pairs(current)]


def _box(row: LayerRow, before: LayerRow) -> dict[str, object]:
    share, bits = words.percent(row.sparsity), _bits(row.bits)
    return {
        "name": row.name,
        "bytes": row.bytes,
        "sparsity": row.sparsity,
        "bits": row.bits,
        "changed": is_changed(row, before),
        "texts": {
            "sparsity": _texts(row, before, share, _("{share} zeros", share=share)),
            "bits": _texts(row, before, bits, bits),
        },
    }


def _texts(row: LayerRow, before: LayerRow, text: str, shown: str) -> dict[str, str]:
    """What stands in a box, what is said of it, and what is seen when one points at it."""
    facts = {"layer": row.name, "size": words.byte_size(row.bytes), "shown": shown}
    if is_changed(row, before):
        said = _("{layer}: {size}, {shown}, changed", **facts)
    else:
        said = _("{layer}: {size}, {shown}", **facts)
    return {"text": text, "said": said, "title": _("{said}. Click: its numbers.", said=said)}


def _bits(number: int) -> str:
    return _("{n} bit", n=number)


def is_changed(row: LayerRow, before: LayerRow) -> bool:
    """Whether the recipe did anything to a layer: its form, its bits or its weights."""
    numbers = [(r.shape, r.bits, r.form, r.ranks, r.sparsity) for r in (row, before)]
    return numbers[0] != numbers[1] or row.sqnr_db is not None


def table(current: Current) -> None:
    """The numbers of each layer's nodes, a row a layer; the strip goes to the rows."""
    head = "".join(f'<th scope="col">{escape(_(name))}</th>' for name in HEADINGS)
    title = escape(_("Numbers of each layer"))
    body = "".join(_line(row, before) for row, before in _pairs(current))
    st.html(
        f'<div class="layer-numbers" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _line(row: LayerRow, before: LayerRow) -> str:
    cells = (
        words.shape(row.shape),
        words.percent(row.sparsity),
        str(row.bits),
        " · ".join(map(str, row.ranks)) or "—",
        f"{row.bytes:,}",
        f"{before.bytes:,}",
        "—" if row.sqnr_db is None else f"{row.sqnr_db:.1f}",
        words.count(row.macs),
        words.count(before.macs),
        ", ".join(row.encodings),
    )
    name = escape(row.name)
    numbers = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f'<tr data-layer="{name}" tabindex="-1"><th scope="row">{name}</th>{numbers}</tr>'


def _pairs(current: Current) -> list[tuple[LayerRow, LayerRow]]:
    """Each layer as it is, and as it was."""
    original = {row.name: row for row in caches.size(current.model, ()).layers}
    return [(row, original[row.name]) for row in current.size.layers]
