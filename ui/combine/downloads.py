"""The downloads of the combine page: the stored file, the recipe, the ONNX file, the command."""

import json

import streamlit as st

from compress_core import to_json
from compress_core.recipe import format_step
from ui import words
from ui.combine import table
from ui.session import caches
from ui.session.state import Current


def show(current: Current) -> None:
    st.markdown("**Take it with you**")
    with st.container(horizontal=True):
        st.download_button(
            f"Stored file ({words.byte_size(current.size.stored_bytes)})",
            lambda: current.compressed.container,
            file_name=f"{current.model}.cx",
            mime="application/octet-stream",
            key="download_container",
            icon=":material/download:",
            on_click="ignore",
            help="`python -m compress_core decode FILE --out dense.safetensors` gives fp32.",
        )
        st.download_button(
            "Readable file",
            lambda: current.compressed.readable.raw,
            file_name=f"{current.model}.compressed.safetensors",
            mime="application/octet-stream",
            key="download_readable",
            icon=":material/download:",
            on_click="ignore",
            help="The same weights with names and settings as text, for any reader of safetensors. "
            "It is some hundred bytes a layer larger.",
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
        st.download_button(
            "ONNX file",
            lambda: caches.onnx_file(current.model, current.recipe),
            file_name=f"{current.model}.compressed.onnx",
            mime="application/octet-stream",
            key="download_onnx",
            icon=":material/download:",
            on_click="ignore",
            help="Runs in onnxruntime: input `images`, output `logits`. The export takes seconds "
            "the first time. Quantized weights are integers in it, zeros are stored.",
        )
        table.recipe_upload()
    steps = "".join(f" \\\n  --step '{format_step(step)}'" for step in current.recipe)
    command = f"python -m compress_core compress {current.model}{steps}"
    st.code(
        f"{command} \\\n  --out {current.model}.cx",
        language="bash",
    )
