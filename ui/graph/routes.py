"""Netron, and the graphs it shows, on the app's own origin.

Netron's own server shares one model between all users and serves the files beside it; its page
calls out to the internet, asks for consent, and locks itself 180 days after its release. So its
static files are served here, by name, with a page of our own making, and every graph stands under
a token that cannot be guessed and that expires.

A page of the app calls `publish` and shows the address in an iframe; `app.py` serves `ROUTES`.
"""

import html
import importlib
import importlib.metadata
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

# Found through its metadata: importing it would bring in its server.
NETRON = importlib.metadata.distribution("netron")
NETRON_FOLDER = Path(str(NETRON.locate_file("netron")))

# Not "/graph": that is the address of a page of the app, and a route below it would shadow the
# page's own resources. Netron's version is in it so that browsers may keep the static files.
ROOT = "/graph-viewer"
BASE = f"{ROOT}/{NETRON.version}"

LIFETIME_S = 3600.0
MAX_ENTRIES = 512
MAX_BYTES = 128 * 1024 * 1024

MEDIA_TYPES = {
    ".css": "text/css",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
}

# What Netron asks for while it shows an ONNX graph; its hundred other formats stay closed.
STATIC_FILES = frozenset(
    {
        "base.js",
        "browser.js",
        "dagre.js",
        "favicon.ico",
        "flatbuffers.js",
        "flexbuffers.js",
        "grapher.css",
        "grapher.js",
        "hdf5.js",
        "icon.png",
        "index.js",
        "json.js",
        "message.js",
        "onnx-metadata.json",
        "onnx-proto.js",
        "onnx-schema.js",
        "onnx.js",
        "protobuf.js",
        "python.js",
        "tar.js",
        "text.js",
        "view.js",
        "worker.js",
        "xml.js",
        "zip.js",
    }
)

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

# Netron knows only the system's colour scheme; the app may have been set to the other one.
THEMES = {"dark": "all", "light": "not all"}


@dataclass(frozen=True)
class PublishedGraph:
    """A serialized ONNX graph and the name it is shown under."""

    model: bytes
    name: str


class GraphStore:
    """Graphs under unguessable tokens: bounded in number and bytes, each gone after its last use.

    Script threads write and the server's event loop reads, so every access takes the lock. Order
    of use is order of expiry: what is to go stands always in front.
    """

    def __init__(
        self,
        *,
        lifetime_s: float = LIFETIME_S,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._graphs: OrderedDict[str, tuple[float, PublishedGraph]] = OrderedDict()
        self._bytes = 0

    def put(self, graph: PublishedGraph) -> str:
        """Keep a graph and return its new token; the least recently used make room.

        Raises ValueError if the graph alone is larger than the whole store.
        """
        if len(graph.model) > self._max_bytes:
            raise ValueError(
                f"the graph has {len(graph.model):,} bytes and the viewer keeps at most "
                f"{self._max_bytes:,}: strip its large tensors before publishing it"
            )
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._graphs[token] = (self._clock(), graph)
            self._bytes += len(graph.model)
            self._make_room()
        return token

    def get(self, token: str) -> PublishedGraph | None:
        """Return the token's graph and renew its lifetime; None if it is unknown or has expired."""
        with self._lock:
            self._make_room()
            if token not in self._graphs:
                return None
            _, graph = self._graphs[token]
            self._graphs[token] = (self._clock(), graph)
            self._graphs.move_to_end(token)
            return graph

    def forget(self, token: str) -> None:
        """Drop the token's graph, if there is one."""
        with self._lock:
            if token in self._graphs:
                self._drop(token)

    def _make_room(self) -> None:
        """Drop what has expired, then the least recently used until the bounds hold."""
        while self._graphs:
            token, (last_used, _) = next(iter(self._graphs.items()))
            expired = self._clock() - last_used > self._lifetime_s
            full = len(self._graphs) > self._max_entries or self._bytes > self._max_bytes
            if not (expired or full):
                return
            self._drop(token)

    def _drop(self, token: str) -> None:
        _, graph = self._graphs.pop(token)
        self._bytes -= len(graph.model)


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
    response = HTMLResponse(_viewer_html(graph.name, token, _theme(request)), headers=PRIVATE)
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
        return Response(_view_script(), media_type=media_type, headers=PUBLIC)
    return FileResponse(path, media_type=media_type, headers=PUBLIC)


async def themed_stylesheet(request: Request) -> Response:
    """Netron's graph style sheet with its colour scheme pinned; 404 for an unknown theme."""
    theme = request.path_params["theme"]
    if theme not in THEMES:
        return await gone(request)
    return Response(_pinned_text("grapher.css", theme), media_type="text/css", headers=PUBLIC)


async def gone(request: Request) -> Response:
    """A small page for the iframe that says what happened and what to do."""
    page = GONE_PAGE.replace("{scheme}", _theme(request) or "light dark")
    return HTMLResponse(page, status_code=404, headers=PRIVATE)


def _theme(request: Request) -> str:
    """The theme asked for; empty, meaning the system's, for any name we do not know."""
    theme = request.query_params.get("theme", "")
    return theme if theme in THEMES else ""


def _viewer_html(name: str, token: str, theme: str) -> str:
    """Netron's index page with our facts in front of its own: it believes the first of a kind.

    Today's date keeps it from calling itself outdated, version 0.0.0 from sending telemetry, and a
    type it does not know from loading the formats other than ONNX. All addresses are relative, so
    the page also works behind a path prefix.
    """
    facts = {
        "type": "Embedded",
        "version": "0.0.0",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "file": f"{token}.onnx",
        "identifier": name if name.endswith(".onnx") else f"{name}.onnx",
    }
    metas = "".join(
        f'<meta name="{key}" content="{html.escape(value)}">\n' for key, value in facts.items()
    )
    page = _pinned_text("index.html", theme)
    # Netron's own close button: a script address, which the policy above forbids.
    page = page.replace('href="javascript:void(0)"', 'href="#"')
    if theme:
        page = page.replace('href="grapher.css"', f'href="{theme}/grapher.css"')
    return page.replace("<head>\n", f"<head>\n{metas}", 1)


@cache
def _view_script() -> str:
    """Netron's view, which takes the focus only where the frame has it: else it would take it from
    the page while it draws, and scroll the page."""
    text = (NETRON_FOLDER / "view.js").read_text(encoding="utf-8")
    for owner in ("container", "element"):
        text = text.replace(f"{owner}.focus();", f"document.hasFocus() && {owner}.focus();")
    return text


@cache
def _pinned_text(name: str, theme: str) -> str:
    """A text file of Netron with its dark rules always on, always off, or left to the system."""
    text = (NETRON_FOLDER / name).read_text(encoding="utf-8")
    return text.replace("(prefers-color-scheme: dark)", THEMES[theme]) if theme else text


GONE_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Graph not available</title>
<style>
:root { color-scheme: {scheme}; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 32em; margin: 20vh auto; padding: 0 1em; }
h1 { font-size: 1.25em; }
</style>
</head>
<body>
<h1>This graph is no longer here</h1>
<p>Graphs are kept for an hour after their last use, and until the server restarts.</p>
<p>Reload the page in your browser to draw it again.</p>
</body>
</html>
"""

ROUTES = [
    Route(f"{BASE}/{{token}}.html", viewer_page),
    Route(f"{BASE}/{{token}}.onnx", graph_bytes),
    Route(f"{BASE}/{{theme}}/grapher.css", themed_stylesheet),
    Route(f"{BASE}/{{name}}", static_file),
    Route(f"{ROOT}/{{rest:path}}", gone),  # else Streamlit would answer with the app itself
]
