"""Netron's static files, and its page and scripts as the app serves them."""

import html
import importlib.metadata
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

# Found through its metadata: importing it would bring in its server.
NETRON = importlib.metadata.distribution("netron")
NETRON_FOLDER = Path(str(NETRON.locate_file("netron")))

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

# Netron knows only the system's colour scheme; the app may have been set to the other one.
THEMES = {"dark": "all", "light": "not all"}


def viewer_html(name: str, token: str, theme: str) -> str:
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
    page = pinned_text("index.html", theme)
    # Netron's own close button: a script address, which the policy above forbids.
    page = page.replace('href="javascript:void(0)"', 'href="#"')
    if theme:
        page = page.replace('href="grapher.css"', f'href="{theme}/grapher.css"')
    return page.replace("<head>\n", f"<head>\n{metas}", 1)


@cache
def view_script() -> str:
    """Netron's view, which takes the focus only where the frame has it: else it would take it from
    the page while it draws, and scroll the page."""
    text = (NETRON_FOLDER / "view.js").read_text(encoding="utf-8")
    for owner in ("container", "element"):
        text = text.replace(f"{owner}.focus();", f"document.hasFocus() && {owner}.focus();")
    return text


@cache
def pinned_text(name: str, theme: str) -> str:
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
