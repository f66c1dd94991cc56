"""AppTest that always shows the whole app.

After a callback has rerun some fragments, Streamlit's AppTest knows their elements alone. A person
still sees the rest of the page, so a full run follows and brings it back.
"""

import re
from typing import Any

from streamlit.testing.v1 import AppTest

from ui.session.state import ROOT

SHELL = ROOT / "ui" / "shell.py"
# all but the one that exists only where a class is served
PAGES = sorted({path.stem for path in (ROOT / "pages").glob("*.py")} - {"instructor"})


class WholeApp(AppTest):
    def _run(self, widget_state: Any = None, timeout: float | None = None) -> "WholeApp":
        super()._run(widget_state, timeout)
        if not any(box.key == "model" for box in self.selectbox):
            super()._run(self._tree.get_widget_states(), timeout)
        return self


def open_app(page: str = "overview", **query: str) -> WholeApp:
    """The app on one of its pages, with what the address says."""
    app = WholeApp(SHELL, default_timeout=240)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    return app if page == "overview" else turn_to(app, page)


def turn_to(app: WholeApp, page: str) -> WholeApp:
    app.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
    return app


STRIP = {"score": "Accuracy", "bytes": "Size", "sparsity": "Sparsity", "macs": "MACs"}


def strip_numbers(app: WholeApp) -> dict[str, str]:
    """The numbers of the line over the page, as one reads them."""
    return {name: what for name, (what, _, _) in strip_cells(app).items()}


def strip_cells(app: WholeApp) -> dict[str, tuple[str, str, str]]:
    """The same with what stands beside and below each number."""
    pattern = (
        r'data-strip="(\w+)".*?<span>(.*?)</span> <span class="beside[^>]*>(.*?)</span>'
        r'.*?class="below">(.*?)</div>'
    )
    html = "".join(element.proto.body for element in app.get("html"))
    return {STRIP[name]: tuple(texts) for name, *texts in re.findall(pattern, html)}
