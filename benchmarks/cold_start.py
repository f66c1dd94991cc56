"""Cold start: from `streamlit run app.py` to the first picture in a browser that is already open.

The operating system has read the files before; the process, the browser's cache and every cache
of the app are new in each run.
"""

from typing import Any

from benchmarks.browser import PATIENCE_S, chromium, running_app
from benchmarks.table import Row, show

RUNS = 3
SIGHTS = {
    "sidebar": '[data-testid="stSidebar"] [data-testid="stSelectbox"]',
    "first number": ".strip .what",
    "first picture that moves": ".live canvas",
}
TARGETS = {"first picture that moves": "<= 2.5 s"}


def run() -> None:
    with chromium() as browser:
        if browser is None:
            return
        runs = [first_sights(browser) for _ in range(RUNS)]
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
