"""The server listens before torch is imported: a visitor's browser loads meanwhile."""

import subprocess
import sys

from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Mount

from tests.asgi import ask
from ui.live_histogram import routes
from ui.live_histogram.early import EarlyScripts
from ui.session.state import ROOT


def test_the_app_is_imported_without_torch() -> None:
    code = "import sys, app; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


def test_the_document_names_the_scripts_of_the_live_picture() -> None:
    """So the browser fetches them while it loads Streamlit; other answers stay as they are."""
    page = Mount("/", EarlyScripts(HTMLResponse("a page")))
    text = Mount("/", EarlyScripts(PlainTextResponse("no page")))
    named = ask([page], "prune").headers["link"]
    assert '</live-histogram/main.js>; rel="modulepreload"' in named
    assert all(f"/{name}>" in named for name in routes.SCRIPTS)
    assert "link" not in ask([text], "prune").headers
