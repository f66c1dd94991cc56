"""Make the README's picture from the running app: `python assets/make_screenshot.py`.

Needs the development requirements and a Chromium (`make setup`), and the MNIST files.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PORT = 8599
ORIGIN = f"http://127.0.0.1:{PORT}"
ADDRESS = f"{ORIGIN}/prune?model=mnist-lenet-5&recipe=prune:sparsity=0.9;quantize:bits=5"


def main() -> None:
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    server = subprocess.Popen([*command, f"--server.port={PORT}"], cwd=ROOT)
    try:
        wait_until_healthy()
        with sync_playwright() as playwright:
            found = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
            picture(browser.new_page(viewport={"width": 1440, "height": 900}))
            browser.close()
    finally:
        server.terminate()


def wait_until_healthy() -> None:
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{ORIGIN}/_stcore/health", timeout=1)
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit("the app did not start within a minute")


def picture(page: Page) -> None:
    page.goto(ADDRESS)
    page.locator(".js-plotly-plot").nth(3).wait_for()
    page.get_by_text("n = 2,000").wait_for()
    page.wait_for_timeout(2000)  # fonts and charts settle
    page.screenshot(path=ROOT / "assets" / "screenshot.png")


if __name__ == "__main__":
    main()
