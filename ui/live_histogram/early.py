"""The browser fetches the scripts of the live picture while it still loads Streamlit.

Streamlit's page does not know them; a header of its document names them. Without it the browser
finds them one after the other, and only when the picture is to be drawn.
"""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.live_histogram.routes import PREFIX, SCRIPTS


class EarlyScripts:
    """Middleware that adds the header to HTML documents."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        base = scope.get("root_path", "")

        async def send_with_links(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.append("link", ", ".join(links(base)))
            await send(message)

        await self._app(scope, receive, send_with_links)


def links(base: str) -> list[str]:
    """A script each; `base` is the path below which the app is served."""
    return [f'<{base}/{PREFIX}/{name}>; rel="modulepreload"' for name in sorted(SCRIPTS)]
