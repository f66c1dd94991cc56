"""The limits of a server for a class: how many visitors, how many requests, no uploads."""

import time
from collections import Counter
from dataclasses import dataclass, field

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.language import N_

MOST_VISITORS = 80  # pages that are open at once; more would make the answers slow for all
MOST_REQUESTS = 5000  # of one address in WINDOW_S: a whole class may come from behind one router
WINDOW_S = 10.0
UPLOADS = "/_stcore/upload_file"
TRY_AGAIN_LATER = 1013  # a websocket's code for it


@dataclass
class Facts:
    """What the server has seen since it was started."""

    started: float = field(default_factory=time.monotonic)
    visitors: int = 0
    most_visitors: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by why


facts = Facts()


class Limits:
    """In front of the whole app, as ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._window, self._requests = 0.0, Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._admit(scope, receive, send)
        elif scope["type"] == "http" and (refusal := self._refusal(scope)):
            status, text = refusal
            facts.refused[text] += 1
            await PlainTextResponse(text, status)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if facts.visitors >= MOST_VISITORS:
            facts.refused[N_("the class is full")] += 1
            await receive()
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
            return
        facts.visitors += 1
        facts.most_visitors = max(facts.most_visitors, facts.visitors)
        try:
            await self._app(scope, receive, send)
        finally:
            facts.visitors -= 1

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if scope["path"].startswith(UPLOADS):
            return 403, N_("uploads are off on a server for a class")
        client = (scope.get("client") or ("",))[0]
        if time.monotonic() > self._window + WINDOW_S:
            self._window, self._requests = time.monotonic(), Counter()
        self._requests[client] += 1
        too_many = self._requests[client] > MOST_REQUESTS
        return (429, N_("too many requests")) if too_many else None
