"""The entry point: one server for the Streamlit app and the graph viewer's routes.

Start it with `streamlit run app.py` or `python app.py`.
"""

import gc
import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from ui import classroom
from ui.classroom.limits import Limits
from ui.graph import routes as graph_routes
from ui.live_histogram import routes as live_routes
from ui.session import executor, last_page, theme_once, turns

FIRST_PAGE = ("ui.panels.sidebar", "ui.panels.strip", "ui.panels.alarms", "ui.panels.harm")
SHELL = Path(__file__).resolve().parent / "ui" / "shell.py"


def warm_up() -> None:
    """Start the executor, import what the first page needs, and keep that out of the garbage
    collector's rounds.

    Streamlit collects after each run of a script, and walking through torch's and plotly's objects
    took 170 ms each time.
    """
    executor.start()
    for name in FIRST_PAGE:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Warm up while the first visitor's browser still loads Streamlit; at the end no worker is
    left behind."""
    executor.announce()
    threading.Thread(target=warm_up, daemon=True).start()
    yield
    executor.close()


last_page.install()
theme_once.install()
turns.install()
routes = [*graph_routes.ROUTES, *live_routes.ROUTES]
middleware = [Middleware(Limits)] if classroom.token() else []
app = st.App(SHELL, routes=routes, lifespan=lifespan, middleware=middleware)

if __name__ == "__main__":
    app.run()
