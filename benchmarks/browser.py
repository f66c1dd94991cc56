"""For benchmarks and tests that drive a browser: finding Chromium, its flags, running the app.

`python -m benchmarks.browser` prints the path of a Chromium that starts, or fails.
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
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 60.0
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
BROWSER_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class App:
    """A running server; `started` is the clock when its process began, `pid` its number."""

    origin: str
    started: float
    pid: int

    def seconds(self) -> float:
        return time.perf_counter() - self.started


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser, or None, with a line that says so, where Playwright is not installed."""
    try:
        from playwright.sync_api import sync_playwright  # of requirements-dev.txt
    except ModuleNotFoundError:
        print("\nskipped, it needs a browser; `make setup` installs it")
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=BROWSER_ARGS)
        yield browser
        browser.close()


@contextmanager
def running_app(
    script: str = "app.py",
    *flags: str,
    port: int | None = None,
    log: IO[str] | None = None,
    below: str = "",
) -> Iterator[App]:
    """The app as a process of its own, from ready until the block ends.

    It listens on `port`, or on a free one, and writes what it says into `log`, if there is one.
    `below` is the path that all of its addresses begin with: "/lab".
    """
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", script, "--server.headless=true"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, f"--server.port={port}", f"--server.baseUrlPath={below}", *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=log or subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        app = App(f"http://127.0.0.1:{port}{below}", started, process.pid)
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
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def find_chromium() -> str | None:
    """The browser named by CHROMIUM, else the system's; None leaves the choice to Playwright.

    Each is started once: Ubuntu's chromium-browser may be a stub that only asks for snap.
    """
    named = os.environ.get("CHROMIUM")
    return named or next((path for path in map(shutil.which, BROWSERS) if _starts(path)), None)


def _starts(path: str | None) -> bool:
    return (
        path is not None and not subprocess.run([path, "--version"], capture_output=True).returncode
    )


def playwrights_own() -> str | None:
    """The Chromium that Playwright has installed, if it starts."""
    from playwright.sync_api import sync_playwright  # of requirements-dev.txt

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() and _starts(path) else None


if __name__ == "__main__":
    print(find_chromium() or playwrights_own() or sys.exit(1))
