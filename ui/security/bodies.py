"""No request has a large body, but for an upload, which has limits of its own (`ui.upload`)."""

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.upload.routes import PREFIX

MOST_BYTES = 2_000_000  # Streamlit's own uploads have 1 MB (config.toml)
TOO_LARGE = f"A request to this server has at most {MOST_BYTES // 10**6} MB."


class TooLargeError(Exception):
    """A body turned out longer than it may be."""


class BoundedBodies:
    """ASGI middleware that refuses a longer body unread, or as soon as it turns out to be one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_upload(scope["path"]):
            await self._app(scope, receive, send)
            return
        refuse = PlainTextResponse(TOO_LARGE, 413)
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > MOST_BYTES:
            await refuse(scope, receive, send)
            return
        try:
            await self._app(scope, _counted(receive), send)
        except TooLargeError:
            await refuse(scope, receive, send)


def is_upload(path: str) -> bool:
    """Whether a path is one of the addresses that files are sent to."""
    base = st.get_option("server.baseUrlPath").strip("/")
    places = [f"/{PREFIX}/", f"/{base}/{PREFIX}/"]
    return any(path.startswith(place) for place in places)


def _counted(receive: Receive) -> Receive:
    seen = 0

    async def receive_and_count() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise TooLargeError
        return message

    return receive_and_count
