"""Our own routes where the app is served below a path: Streamlit puts its own alone there."""

from collections.abc import Sequence

import streamlit as st
from starlette.routing import Route


def below_base_path(routes: Sequence[Route]) -> list[Route]:
    """The routes where the browser looks for them, below `server.baseUrlPath`; and as they are,
    for a proxy that takes the path away."""
    base = st.get_option("server.baseUrlPath").strip("/")
    if not base:
        return list(routes)
    moved = [Route(f"/{base}{each.path}", each.endpoint, methods=_methods(each)) for each in routes]
    return [*moved, *routes]


def _methods(route: Route) -> list[str] | None:
    return list(route.methods) if route.methods else None
