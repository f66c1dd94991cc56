"""What browser tests share: a Chromium, a page that is watched, a server for an ASGI app.

The sync API keeps an event loop running in the main thread for as long as the browser lives: a
test that needs `asyncio.run` must call it in a thread of its own.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from starlette.types import ASGIApp

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_MS = 60_000
expect.set_options(timeout=TIMEOUT_MS)  # the first graph takes seconds, on a busy machine more


def find_chromium() -> str | None:
    """The browser named by CHROMIUM, else the system's; None leaves the choice to Playwright."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium for all tests; what they expect may take its time."""
    expect.set_options(timeout=TIMEOUT_MS / 2)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page of 1440 by 900 with cookies and cache of its own, patient on slow machines."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def console_errors(page: Page) -> list[str]:
    """Fills with the page's console errors and uncaught exceptions; ask for it before goto."""
    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(f"{message.text} {message.location.get('url', '')}")

    page.on("console", record)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


@pytest.fixture
def foreign_requests(page: Page) -> list[str]:
    """Fills with requests to any host but that of the first request; ask for it before goto."""
    hosts: list[str] = []
    foreign: list[str] = []

    def record(url: str) -> None:
        host = urlsplit(url).netloc
        if not host:  # data: and blob: stay within the browser
            return
        hosts.append(host)
        if host != hosts[0]:
            foreign.append(url)

    page.on("request", lambda request: record(request.url))
    page.on("websocket", lambda websocket: record(websocket.url))
    return foreign


@pytest.fixture
def serve() -> Iterator[Callable[[ASGIApp], str]]:
    """Serve an ASGI app on a free local port until the test ends; returns its origin."""
    with ExitStack() as servers:
        yield lambda app: servers.enter_context(_served(app))


@contextmanager
def _served(app: ASGIApp) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
