"""The server of the page beside it, with the routes that uploading needs."""

from pathlib import Path

import streamlit as st

from ui.base_path import below_base_path
from ui.live_histogram import routes as live_routes
from ui.upload import routes as upload_routes

app = st.App(
    Path(__file__).with_name("page.py"),
    routes=below_base_path([*live_routes.ROUTES, *upload_routes.ROUTES]),
    lifespan=lambda _app: upload_routes.serving(),
)
