"""Trade-offs: accuracy against real bytes, every point a file that was encoded and measured."""

import streamlit as st

from ui import figures, fragments, panels, plane, snapshots, state, words


@fragments.body
def trade_offs() -> None:
    current = state.current()
    colors = state.colors()
    panels.heading(
        "Trade-offs",
        "Every point is a recipe: its file was encoded, its accuracy measured on the whole test "
        "set. Up and to the left is better. Click a point to apply it.",
        r"\text{accuracy} \pm 95\,\% \quad \text{against} \quad \text{bytes of the file}",
    )
    if not panels.needs_data(current.model):
        families = plane.families(current.model)
        chosen = st.pills(
            "Methods",
            list(families),
            selection_mode="multi",
            key="trade_offs_methods",
            default=list(families)[:3],
            format_func=lambda name: name.replace("_", " "),
            persist_state="session",
            help="One curve each, from mild to strong, all other steps of your recipe left aside.",
        )
        wanted = [(), current.recipe, *(r for name in chosen for r in families[name].recipes)]
        plane.measure_missing(current.model, wanted)
        measured = {name: plane.rows(current.model, families[name].recipes) for name in chosen}
        curves = {name: rows for name, rows in measured.items() if rows}
        singles = {
            "original": plane.rows(current.model, [()]),
            "present recipe": plane.rows(current.model, [current.recipe]) if current.recipe else [],
        }
        pinned = snapshots.rows(current.model)
        everything = [row for rows in (*curves.values(), *singles.values(), pinned) for row in rows]
        if not everything:
            st.caption("No point of this model is measured yet.")
        panels.chart(
            figures.trade_off_plane(curves, singles, colors, pinned),
            "trade_offs_plane",
            f"{current.model}: accuracy against bytes",
            {
                "recipe": [row["words"] for row in everything],
                "bytes": [row["stored_bytes"] for row in everything],
                "ratio": [row["compression_ratio"] for row in everything],
                "accuracy": [words.percent(row["accuracy"], 2) for row in everything],
                "change, points": [100 * row["difference"] for row in everything],
                "MACs": [row["macs"] for row in everything],
            },
            on_select=plane.apply_clicked,
            selection_mode="points",
        )
        if pinned:
            st.caption("A snapshot stands at the accuracy it was pinned with; hover shows its n.")


trade_offs()
