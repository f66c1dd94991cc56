"""The whole app under its own policy: what a browser refuses, and what leaves the machine."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tests.browser.conftest import settle
from tests.whole_app import PAGES

pytestmark = pytest.mark.browser
RECIPE = "prune:sparsity=0.8;quantize:bits=4"


@pytest.mark.parametrize("name", PAGES)
def test_every_part_of_a_page_obeys_the_policy_and_nothing_leaves_the_machine(
    app: str, page: Page, name: str, console_errors: list[str], foreign_requests: list[str]
) -> None:
    """The window is so high that everything is in view, so everything is drawn."""
    page.set_viewport_size({"width": 1440, "height": 6000})
    page.goto(f"{app}/{'' if name == 'overview' else name}?recipe={RECIPE}")
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    settle(page)
    page.wait_for_timeout(2000)  # charts and frames come after the text
    assert console_errors == []
    assert foreign_requests == []


def test_a_script_that_somebody_slips_into_a_page_does_not_run(app: str, page: Page) -> None:
    page.goto(app)
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.slippedIn = true";
          document.body.append(script);
          const image = "<img src=x onerror='window.slippedIn = true'>";
          document.body.insertAdjacentHTML("beforeend", image);
        }"""
    )
    page.wait_for_timeout(500)
    assert page.evaluate("window.slippedIn") is None


FOREIGN_PAGE = """
<iframe id="frame" src="{app}"></iframe>
<script type="module">
  const socket = new WebSocket("{socket}/_stcore/stream");
  socket.onopen = () => { document.title = "connected" };
  const answers = await Promise.allSettled([
    new Promise((resolve, reject) => { socket.onclose = reject; }),
    fetch("{app}/_stcore/health"),
    fetch("{app}/upload/token", { method: "POST", headers: { "X-Upload-Name": "x" }, body: "x" }),
  ]);
  document.body.append(answers.map(({ status }) => status).join(" "));
</script>
"""


def test_a_page_of_another_site_gets_nothing(
    app: str, page: Page, serve: Callable[[ASGIApp], str]
) -> None:
    async def foreign(_request: Request) -> Response:
        text = FOREIGN_PAGE.replace("{app}", app)
        return HTMLResponse(text.replace("{socket}", app.replace("http", "ws")))

    page.goto(serve(Starlette(routes=[Route("/", foreign)])))
    expect(page.get_by_text("rejected rejected rejected")).to_be_visible()
    assert page.title() != "connected"
    assert page.frames[1].url.startswith("chrome-error:")
