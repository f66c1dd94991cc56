"""An error of ours is told in one sentence; its traceback stands in the log alone."""

import logging

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SENTENCE = "Something went wrong on the server. Its log says what; try again, or reload the page."
LOG = logging.getLogger(__name__)


class PlainErrors:
    """ASGI middleware that answers where a route failed before it answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_and_note(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            where = scope["path"].split("/")[1]  # what follows may be a token
            LOG.exception("%s /%s failed", scope["method"], where)
            if started:  # half an answer: the connection must break, or it would pass for a whole
                raise
            await PlainTextResponse(SENTENCE, 500)(scope, receive, send)
