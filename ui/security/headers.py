"""What a browser may do with our pages: nothing comes from elsewhere, and nothing goes there.

Streamlit has one inline script in its page and we have one a language; each is named by its digest,
so that no other runs. The scripts of components come as blobs that Streamlit makes.
"""

import base64
import hashlib
import re
from functools import cache
from ipaddress import ip_address
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.language import LANGUAGES, telling_script

INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
UNUSED = ("camera", "microphone", "geolocation", "payment", "usb", "serial", "midi")
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # an address may carry a token
    "Permissions-Policy": ", ".join(f"{name}=()" for name in UNUSED),
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "SAMEORIGIN",  # for browsers that do not know frame-ancestors
}


class SecurityHeaders:
    """ASGI middleware that adds the headers which an answer does not have itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        added = {**ALWAYS, **_of_request(scope)}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _of_request(scope: Scope) -> dict[str, str]:
    host = Headers(scope=scope).get("host", "")
    found = {"Content-Security-Policy": policy(host)}
    if scope.get("scheme") == "https" or is_this_machine(host):
        found["Cross-Origin-Opener-Policy"] = "same-origin"  # elsewhere browsers only complain
    return found


def policy(host: str) -> str:
    """The Content-Security-Policy of a page that the browser finds at `host`."""
    sockets = f" ws://{host} wss://{host}" if re.fullmatch(r"[\w.:\[\]-]+", host, re.ASCII) else ""
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' blob: {' '.join(inline_scripts())}",
            "style-src 'self' 'unsafe-inline'",  # Streamlit and plotly style elements in place
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self'{sockets} data: blob:",
            "worker-src 'self' blob:",
            "media-src 'self' data: blob:",
            "frame-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'self'",
        ]
    )


@cache
def inline_scripts() -> list[str]:
    """The digests of the scripts that may stand in a page."""
    page = Path(st.__file__).parent / "static" / "index.html"
    tags = [telling_script(language) for language in LANGUAGES]
    return [digest(text) for text in INLINE_SCRIPT.findall("".join([page.read_text(), *tags]))]


def digest(script: str) -> str:
    """A script's name in a policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def is_this_machine(host: str) -> bool:
    """Whether a Host header names the machine that the browser runs on."""
    name = host_name(host)
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)


def is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a Host header, without port, brackets and the dot at its end."""
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](:\d+)?", host)
    name = bracketed[1] if bracketed else re.sub(r":\d+$", "", host)
    return name.lower().removesuffix(".")
