"""The downloads of the combine page: the stored file, the recipe, the ONNX file, the command."""

import json
from collections.abc import Callable

import streamlit as st

from compress_core import to_json
from compress_core.recipe import format_step, of_kinds
from compress_core.steps import TRAINING
from ui import words
from ui.combine import table
from ui.language import _
from ui.session import caches
from ui.session.state import Current


def show(current: Current) -> None:
    st.markdown(_("**Take it with you**"))
    with st.container(horizontal=True):
        _button(
            "container",
            _("Stored file ({size})", size=words.byte_size(current.size.stored_bytes)),
            lambda: current.compressed.container,
            f"{current.model}.cx",
            _("`python -m compress_core decode FILE --out dense.safetensors` gives fp32."),
        )
        _button(
            "readable",
            _("Readable file"),
            lambda: current.compressed.readable.raw,
            f"{current.model}.compressed.safetensors",
            _(
                "The same weights with names and settings as text, for any reader of safetensors. "
                "It is some hundred bytes a layer larger."
            ),
        )
        _button(
            "recipe",
            _("Recipe (JSON)"),
            lambda: json.dumps(to_json(current.recipe), indent=2).encode(),
            f"{current.model}.recipe.json",
            _("For `--recipe` of the command line, or `from_json` of the library."),
        )
        _button(
            "onnx",
            _("ONNX file"),
            lambda: caches.onnx_file(current.model, current.recipe),
            f"{current.model}.compressed.onnx",
            _(
                "Runs in onnxruntime: input `images`, output `logits`. The export takes seconds "
                "the first time. Quantized weights are integers in it, zeros are stored."
            ),
        )
        table.recipe_upload()
    st.code(command(current), language=None)


def _button(key: str, label: str, make: Callable[[], bytes], name: str, help_text: str) -> None:
    """A download that is made when it is asked for."""
    st.download_button(
        label,
        make,
        file_name=name,
        mime="application/json" if name.endswith(".json") else "application/octet-stream",
        key=f"download_{key}",
        icon=":material/download:",
        on_click="ignore",
        help=help_text,
    )


def command(current: Current) -> str:
    """What makes the same file on the command line, on a machine that has not trained it yet."""
    steps = "".join(f" \\\n  --step '{format_step(step)}'" for step in current.recipe)
    train = " --train" if of_kinds(current.recipe, (TRAINING,)) else ""
    call = f"python -m compress_core compress {current.model}{steps}"
    return f"{call} \\\n  --out {current.model}.cx{train}"
