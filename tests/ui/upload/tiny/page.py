"""A page with nothing but two places to upload, for the browser's test; it shows what arrived."""

import streamlit as st

from ui import upload


@st.fragment
def place(key: str, label: str, suffixes: list[str], several: bool) -> None:
    arrived = upload.show(key, label, suffixes, "Up to 512 MB.", several=several)
    for each in arrived:
        st.text(f"{each.name} | {each.bytes} | {each.path.stat().st_size}")


place("one", "Your model", [".onnx", ".safetensors"], several=False)
place("many", "Your images", [".png", ".json"], several=True)
