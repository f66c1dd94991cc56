"""A client that sends a body to the routes in chunks, without a server."""

import json
from collections.abc import Iterable
from typing import Any

from anyio import from_thread
from starlette.applications import Starlette
from starlette.types import Message, Scope

from ui.upload.routes import NAME_HEADER, ROUTES


class Answer:
    """Status and JSON of an answer; status 0 if there was none."""

    def __init__(self) -> None:
        self.status, self.body = 0, b""

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


def request(
    method: str, address: str, chunks: Iterable[bytes | None] = (), **headers: str
) -> Answer:
    """Ask the routes; `headers` with _ in place of -. A chunk of None is a browser that is gone."""
    path, _, query = address.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": method,
        "path": f"/{path}",
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()],
    }
    answer, rest = Answer(), iter(chunks)

    async def receive() -> Message:
        chunk = next(rest, b"")
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    async def send(message: Message) -> None:
        answer.status = message.get("status", answer.status)
        answer.body += message.get("body", b"")

    with from_thread.start_blocking_portal() as portal:
        portal.call(Starlette(routes=ROUTES), scope, receive, send)
    return answer


def post(
    token: str,
    chunks: Iterable[bytes | None],
    size: int,
    name: str = "net.onnx",
    **headers: str,
) -> Answer:
    """Send a file as our page does."""
    given = {"content_length": str(size), NAME_HEADER: name, "sec_fetch_site": "same-origin"}
    return request("POST", f"upload/{token}", chunks, **{**given, **headers})
