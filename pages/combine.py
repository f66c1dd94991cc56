"""Combine: the whole recipe as a table, what each layer and each stage weighs, and the files."""

import json

import streamlit as st

from compress_core import to_json
from compress_core.recipe import format_step
from ui import combine_table, compare, figures, fragments, panels, state, words


@fragments.body
def combine() -> None:
    current = state.current()
    colors = state.colors()
    panels.heading(
        "Combine",
        "All steps together, layer by layer. Edit a cell to give one layer its own setting: it "
        "becomes a later step of the recipe and wins.",
        r"\text{factorize} \to \text{prune} \to \text{quantize} \to \text{encode}",
    )
    combine_table.show(current)

    rows = current.size.layers
    names = [row.name for row in rows]
    left, right = st.columns(2)
    with left:
        before, after = [row.original_bytes for row in rows], [row.bytes for row in rows]
        panels.chart(
            figures.bytes_before_after(names, before, after, colors),
            "combine_bytes",
            "Bytes of each layer",
            {
                "layer": names,
                "original": before,
                "compressed": after,
                "encoding": [", ".join(row.encodings) for row in rows],
            },
        )
        st.caption(
            f"The rest of the file: {current.size.rest_bytes:,} bytes of biases and norms, "
            f"{current.size.header_bytes:,} of header."
        )
    with right:
        stages = state.stage_bytes(current)
        if not current.recipe:
            stages.append(("header", current.size.stored_bytes))
        labels, sizes = [stage for stage, _ in stages], [count for _, count in stages]
        panels.chart(
            figures.waterfall(labels, sizes, colors),
            "combine_waterfall",
            "Bytes of the file, stage by stage",
            {"after": labels, "bytes": sizes},
        )
        st.caption(
            "After each stage the file was encoded as small as it gets: what a bar took off."
        )

    compare.show(current)

    st.markdown("**Take it with you**")
    with st.container(horizontal=True):
        st.download_button(
            f"Stored file ({words.byte_size(current.size.stored_bytes)})",
            lambda: current.compressed.container,
            file_name=f"{current.model}.compressed.safetensors",
            mime="application/octet-stream",
            key="download_container",
            icon=":material/download:",
            on_click="ignore",
            help="`python -m compress_core decode FILE --out dense.safetensors` gives fp32.",
        )
        st.download_button(
            "Recipe (JSON)",
            json.dumps(to_json(current.recipe), indent=2),
            file_name=f"{current.model}.recipe.json",
            mime="application/json",
            key="download_recipe",
            icon=":material/download:",
            on_click="ignore",
            help="For `--recipe` of the command line, or `from_json` of the library.",
        )
        combine_table.recipe_upload()
    steps = "".join(f" \\\n  --step '{format_step(step)}'" for step in current.recipe)
    command = f"python -m compress_core compress {current.model}{steps}"
    st.code(
        f"{command} \\\n  --out {current.model}.compressed.safetensors",
        language="bash",
    )


combine()
