"""A request to middleware, and what came back."""

from collections.abc import Iterable

from anyio import from_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.asgi import Answer


async def fine(_scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads the whole body and answers with its length."""
    length = 0
    while (message := await receive()).get("more_body"):
        length += len(message["body"])
    body = str(length).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    secret = "/home/somebody/secret"
    raise RuntimeError(secret)


def ask(
    app: ASGIApp, path: str = "/", chunks: Iterable[bytes] = (), kind: str = "http", **headers: str
) -> Answer:
    """The answer, or for a websocket the code it was closed with (0: it was not) as its status."""
    headers = {"host": "127.0.0.1:8501", **headers}
    scope: Scope = {
        "type": kind,
        "method": "POST",
        "path": path,
        "scheme": "http",
        "headers": [(name.replace("_", "-").encode(), v.encode()) for name, v in headers.items()],
    }
    answer, rest = Answer(), iter(chunks)

    async def receive() -> Message:
        chunk = next(rest, b"")
        return {"type": f"{kind}.request", "body": chunk, "more_body": chunk != b""}

    async def send(message: Message) -> None:
        answer.status = message.get("status", message.get("code", answer.status))
        for key, value in message.get("headers", []):
            answer.headers[key.decode()] = value.decode()
        answer.body += message.get("body", b"")

    with from_thread.start_blocking_portal() as portal:
        portal.call(app, scope, receive, send)
    return answer
