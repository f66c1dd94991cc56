"""The door: the Streamlit app and the graph viewer's routes behind one server.

Start it with `streamlit run app.py` or `python app.py`. This module runs before the first visitor
comes, so it imports nothing heavy: the models wait for the script that needs them.
"""

from pathlib import Path

import streamlit as st

from ui.graph_routes import ROUTES

SHELL = Path(__file__).resolve().parent / "ui" / "shell.py"

app = st.App(SHELL, routes=ROUTES)

if __name__ == "__main__":
    app.run()
