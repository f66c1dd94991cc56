"""Cold start: from `streamlit run app.py` to the first picture in a browser that is already open.

The operating system has read the files before; the process, the browser's cache and every cache
of the app are new in each run.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.table import Row, show

ROOT = Path(__file__).resolve().parents[1]
RUNS = 3
PATIENCE_S = 60.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIGHTS = {
    "sidebar": '[data-testid="stSidebar"] [data-testid="stSelectbox"]',
    "first number": '[data-testid="stMetricValue"]',
    "first picture": ".js-plotly-plot .main-svg",
}
TARGETS = {"first picture": "<= 5 s"}


@dataclass(frozen=True)
class App:
    """A running server; `started` is the clock when its process began."""

    origin: str
    started: float

    def seconds(self) -> float:
        return time.perf_counter() - self.started


def run() -> None:
    try:
        from playwright.sync_api import sync_playwright  # of requirements-dev.txt
    except ModuleNotFoundError:
        print("\ncold_start: skipped, it needs a browser; `make setup` installs it")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=BROWSER_ARGS)
        runs = [first_sights(browser) for _ in range(RUNS)]
        browser.close()
    rows = [Row(what, [r[what] for r in runs], target=TARGETS.get(what, "")) for what in runs[0]]
    show("cold_start: seconds since `streamlit run app.py`", rows)


def first_sights(browser: Any) -> dict[str, float]:
    """When, after the start of the process, each thing was first there."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    with running_app() as app:
        seen = {"server ready": app.seconds()}
        page.goto(app.origin, wait_until="commit")
        for what, selector in SIGHTS.items():
            page.locator(selector).first.wait_for(timeout=1000 * PATIENCE_S)
            seen[what] = app.seconds()
        context.close()
    return seen


@contextmanager
def running_app(*flags: str) -> Iterator[App]:
    """The app as a process of its own on a free port, from ready until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, f"--server.port={port}", *flags],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        app = App(f"http://127.0.0.1:{port}", started)
        wait_until_ready(app, process)
        yield app
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(app: App, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None and app.seconds() < PATIENCE_S:
        try:
            urllib.request.urlopen(f"{app.origin}/_stcore/health", timeout=PATIENCE_S).close()
        except OSError:  # not listening yet
            time.sleep(0.01)
        else:
            return
    raise RuntimeError("the app did not start; `streamlit run app.py` says why")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def find_chromium() -> str | None:
    """The browser named by CHROMIUM, else the system's; None leaves the choice to Playwright."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
