"""The door: the Streamlit app and the graph viewer's routes behind one server.

Start it with `streamlit run app.py` or `python app.py`.
"""

import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st

from ui.graph_routes import ROUTES

SHELL = Path(__file__).resolve().parent / "ui" / "shell.py"


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Import what the first page needs while the first visitor's browser still loads Streamlit."""
    threading.Thread(target=importlib.import_module, args=("ui.panels",), daemon=True).start()
    yield


app = st.App(SHELL, routes=ROUTES, lifespan=lifespan)

if __name__ == "__main__":
    app.run()
