"""Netron, and the graphs it shows, on the app's own origin.

Netron's own server shares one model between all users and serves the files beside it; its page
calls out to the internet, asks for consent, and locks itself 180 days after its release. So its
static files are served here, by name, with a page of our own making, and every graph stands under
a token that cannot be guessed and that expires.

A page of the app calls `publish` and shows the address in an iframe; `app.py` serves `ROUTES`.
"""

import importlib

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from ui.graph.netron import (
    GONE_PAGE,
    MEDIA_TYPES,
    NETRON,
    NETRON_FOLDER,
    STATIC_FILES,
    THEMES,
    pinned_text,
    view_script,
    viewer_html,
)
from ui.graph.store import GraphStore, PublishedGraph

# Not "/graph": that is the address of a page of the app, and a route below it would shadow the
# page's own resources. Netron's version is in it so that browsers may keep the static files.
ROOT = "/graph-viewer"
BASE = f"{ROOT}/{NETRON.version}"

HEADERS = {
    # Netron styles its elements in place, hence 'unsafe-inline' for styles; data: and blob: images
    # are its export to PNG and SVG.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # the address carries the token
}
PRIVATE = HEADERS | {"Cache-Control": "no-store"}
PUBLIC = HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}

_STORE = GraphStore()


def publish(model: bytes, name: str, *, previous: str | None = None) -> str:
    """Put a serialized ONNX graph before the viewer and return the address for an iframe.

    Each call makes an address of its own, so nobody sees another's graph by publishing the same
    bytes. Keep it in the session and give it back as `previous` on the next run: as long as that
    address still shows the same graph it is returned again (the iframe stays as it is), otherwise
    it is forgotten in favour of a new one. Never keep it in a cache that users share or that
    outlives the address: an hour after its last use it is gone.

    Append `?theme=dark` or `?theme=light` to override the system's colour scheme.

    Raises ValueError if the graph is larger than the whole store (128 MiB).
    """
    graph = PublishedGraph(model, name)
    if previous is not None:
        token = previous.removeprefix(f"{BASE}/").removesuffix(".html")
        if _STORE.get(token) == graph:
            return previous
        _STORE.forget(token)
    return f"{BASE}/{_STORE.put(graph)}.html"


def _store() -> GraphStore:
    """Return the store that `publish` writes to now.

    Streamlit re-imports edited modules below the main script's folder while the server keeps the
    routes of the first import: without this look-up, every edit would part the two.
    """
    module = importlib.import_module(__name__)
    store: GraphStore = module._STORE
    return store


async def viewer_page(request: Request) -> Response:
    """Netron's page, made to open the token's graph; 404 with a readable page if it is gone."""
    token = request.path_params["token"]
    graph = _store().get(token)
    if graph is None:
        return await gone(request)
    response = HTMLResponse(viewer_html(graph.name, token, _theme(request)), headers=PRIVATE)
    # Without this cookie Netron looks up the visitor's country and asks for consent. It holds for
    # the viewer's folder alone: no path given means the page's own.
    response.set_cookie("consent", "1", path=None, samesite="lax")
    return response


async def graph_bytes(request: Request) -> Response:
    """The token's serialized graph, never cached; 404 if it is gone."""
    graph = _store().get(request.path_params["token"])
    if graph is None:
        return await gone(request)
    return Response(graph.model, media_type="application/octet-stream", headers=PRIVATE)


async def static_file(request: Request) -> Response:
    """One of the files Netron needs, by its exact name; 404 for any other name."""
    name = request.path_params["name"]
    if name not in STATIC_FILES:
        return await gone(request)
    if request.url.query:
        # Netron adds the time of day to its 5 MB of operator descriptions, so that browsers fetch
        # them for every graph; the plain address they may keep.
        return RedirectResponse(name, headers=PRIVATE)
    path = NETRON_FOLDER / name
    media_type = MEDIA_TYPES[path.suffix]
    if name == "view.js":
        return Response(view_script(), media_type=media_type, headers=PUBLIC)
    return FileResponse(path, media_type=media_type, headers=PUBLIC)


async def themed_stylesheet(request: Request) -> Response:
    """Netron's graph style sheet with its colour scheme pinned; 404 for an unknown theme."""
    theme = request.path_params["theme"]
    if theme not in THEMES:
        return await gone(request)
    return Response(pinned_text("grapher.css", theme), media_type="text/css", headers=PUBLIC)


async def gone(request: Request) -> Response:
    """A small page for the iframe that says what happened and what to do."""
    page = GONE_PAGE.replace("{scheme}", _theme(request) or "light dark")
    return HTMLResponse(page, status_code=404, headers=PRIVATE)


def _theme(request: Request) -> str:
    """The theme asked for; empty, meaning the system's, for any name we do not know."""
    theme = request.query_params.get("theme", "")
    return theme if theme in THEMES else ""


ROUTES = [
    Route(f"{BASE}/{{token}}.html", viewer_page),
    Route(f"{BASE}/{{token}}.onnx", graph_bytes),
    Route(f"{BASE}/{{theme}}/grapher.css", themed_stylesheet),
    Route(f"{BASE}/{{name}}", static_file),
    Route(f"{ROOT}/{{rest:path}}", gone),  # else Streamlit would answer with the app itself
]
