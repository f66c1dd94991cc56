"""What browser tests share: a Chromium, a page that is watched, a server for an ASGI app.

The sync API keeps an event loop running in the main thread for as long as the browser lives: a
test that needs `asyncio.run` must call it in a thread of its own.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FloatRect,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from starlette.types import ASGIApp

from benchmarks.browser import BROWSER_ARGS, find_chromium, running_app

TIMEOUT_MS = 60_000
expect.set_options(timeout=TIMEOUT_MS)  # the first graph takes seconds, on a busy machine more


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What the browsers of all tests are started by; what they expect may take its time."""
    expect.set_options(timeout=TIMEOUT_MS / 2)
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One headless Chromium for visitors who share nothing, not even a cache of scripts."""
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=BROWSER_ARGS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def visitor(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """One Chromium whose cache of scripts serves all tests: without it each waits a second more."""
    context = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("visitor"),
        executable_path=find_chromium(),
        args=BROWSER_ARGS,
        viewport={"width": 1440, "height": 900},
    )
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A fresh page of 1440 by 900 that remembers nothing, patient on slow machines."""
    page = visitor.new_page()
    yield page
    for origin in {origin_of(one.url) for one in visitor.pages if one.url.startswith("http")}:
        storage = {"origin": origin, "storageTypes": "cookies,local_storage,indexeddb"}
        visitor.new_cdp_session(page).send("Storage.clearDataForOrigin", storage)
    visitor.clear_permissions()
    blank = visitor.new_page()  # the last page takes the browser with it
    for one in visitor.pages:
        if one is not blank:
            one.close()


def origin_of(address: str) -> str:
    found = urlsplit(address)
    return f"{found.scheme}://{found.netloc}"


@pytest.fixture
def console_errors(page: Page) -> list[str]:
    """Fills with the page's console errors and uncaught exceptions; ask for it before goto."""
    errors: list[str] = []

    def record(message: ConsoleMessage) -> None:
        # on a deep link Streamlit looks for itself below the page's own path first
        its_own = "/_stcore/" in message.location.get("url", "")
        if message.type == "error" and not its_own:
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


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as `make app` starts it, on a free port; its log must stay free of complaints."""
    log = tmp_path_factory.mktemp("app") / "server.log"
    with log.open("w") as output, running_app(log=output) as server:
        yield server.origin
    assert complaints(log) == []


def complaints(log: Path) -> list[str]:
    """The lines of a server's log that tell of something wrong."""
    return re.findall(r"(?i).*(?:warning|error|traceback|deprecat).*", log.read_text())


def visit(page: Page, address: str, title: str = "Overview") -> None:
    page.goto(address)
    expect(heading(page, title)).to_be_visible()
    settle(page)


def heading(page: Page, title: str) -> Locator:
    """The heading of a page by its name in the navigation; the first one bears the app's name."""
    name = "Compress Explorer" if title == "Overview" else title
    return page.get_by_role("heading", name=name, level=1)


def choose(page: Page, label: str, option: str) -> None:
    """Take an option of a list of choices; what stands below the fold is scrolled to first."""
    box = page.get_by_role("combobox", name=label, exact=True)
    for _ in range(100):
        if box.is_visible():
            break
        page.get_by_test_id("stMain").evaluate("main => main.scrollBy(0, 300)")
        page.wait_for_timeout(200)
    listed = page.get_by_role("option", name=option, exact=True)
    for _ in range(10):  # a part of the page that is drawn anew closes its lists
        if box.input_value() == option:
            break
        box.click()
        with suppress(PlaywrightTimeout):
            listed.click(timeout=3000)
    expect(box).to_have_value(option)


def settle(page: Page) -> None:
    """Wait until the accuracy is there and no script runs."""
    expect(metric(page, "Accuracy")).to_have_text(re.compile(r"%|—"))
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def resting_box(part: Locator) -> FloatRect:
    """Where an element stands, once what is drawn around it does not push it any further."""
    before = None
    for _ in range(100):
        found = part.bounding_box()
        if found and found == before:
            return found
        before = found
        part.page.wait_for_timeout(200)
    raise AssertionError(f"{part} does not come to rest")


STRIP = {"Accuracy": "score", "Size": "bytes", "Sparsity": "sparsity", "MACs": "macs"}


def metric(page: Page, label: str) -> Locator:
    """A number of the line over the page, or of a metric below it."""
    if label not in STRIP:
        found = page.get_by_test_id("stMetric").filter(has_text=label)
        return found.get_by_test_id("stMetricValue")
    return page.locator(f'.strip [data-strip="{STRIP[label]}"] .what > span').first
