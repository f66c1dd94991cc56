"""The entry point: one server for the Streamlit app and the graph viewer's routes.

Start it with `streamlit run app.py` or `python app.py`.
"""

import gc
import importlib
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from ui import classroom, started_with
from ui.base_path import below_base_path
from ui.classroom.limits import Limits
from ui.graph import routes as graph_routes
from ui.live_histogram import routes as live_routes
from ui.live_histogram.early import EarlyScripts
from ui.security import MIDDLEWARE
from ui.session import executor, last_page, theme_once, turns
from ui.upload import routes as upload_routes

FIRST_PAGE = (  # all that the shell and the first page import
    "ui.overview.first_minute",
    *("ui.panels.sidebar", "ui.panels.strip", "ui.panels.alarms", "ui.panels.harm"),
    *("ui.learn.bar", "ui.learn.composer", "ui.overview.details"),
)
SHELL = Path(__file__).resolve().parent / "ui" / "shell.py"


def warm_up() -> None:
    """Import what the first page needs, keep that out of the garbage collector's rounds, and start
    the executor.

    Walking through torch's and plotly's objects takes 170 ms each time; while they are imported,
    the collector would do so again and again, a quarter of the time.
    """
    gc.disable()
    for name in FIRST_PAGE:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    executor.start()
    importlib.import_module("compress_core.opening.store").tidy()


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Warm up while the first visitor's browser still loads Streamlit; at the end no worker is
    left behind."""
    executor.announce()
    threading.Thread(target=warm_up, daemon=True).start()
    async with upload_routes.serving():
        yield
    executor.close()
    if (beside := sys.modules.get("ui.session.beside")) is not None:
        beside.helper.close()
    if (rooms := sys.modules.get("compress_core.opening.rooms")) is not None:
        rooms.close_rooms()


started_with.announce(sys.argv)
last_page.install()
theme_once.install()
turns.install()
routes = below_base_path([*graph_routes.ROUTES, *live_routes.ROUTES, *upload_routes.ROUTES])
middleware = [
    *MIDDLEWARE,
    Middleware(EarlyScripts),
    *([Middleware(Limits)] if classroom.token() else []),
]
app = st.App(SHELL, routes=routes, lifespan=lifespan, middleware=middleware)

if __name__ == "__main__":
    app.run()
