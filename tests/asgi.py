"""Asking the app's own routes, without a server or a client library."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anyio.from_thread import start_blocking_portal
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Message, Scope


@dataclass
class Answer:
    """What the routes answered: status, headers by lower-case name, body."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def ask(routes: Sequence[BaseRoute], address: str, **headers: str) -> Answer:
    """The routes' answer for an address; `headers` with _ in place of -.

    The portal's thread has an event loop of its own, so this also works while a browser test keeps
    one running in the main thread.
    """
    path, _, query = address.partition("?")
    headers = {"host": "app.test", **headers}
    scope: Scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},  # files are sent without listening for a disconnect
        "method": "GET",
        "path": f"/{path.removeprefix('/')}",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()],
    }
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {key.decode(): value.decode() for key, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")

    with start_blocking_portal() as portal:
        portal.call(Starlette(routes=list(routes)), scope, receive, send)
    return answer
