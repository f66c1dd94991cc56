"""Only requests for this server, from its own pages.

A foreign site can give its own name our address ("DNS rebinding") and would then be, to a browser,
the same site as we. Its requests still bear its name: names that are not ours are refused. An IP
address is no name that anybody else could have.

Streamlit would admit some foreign origins, and for any other asks a server on the internet for our
own address first; so these are refused here, before it does.
"""

import os
import socket
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.security.headers import host_name, is_this_machine

VARIABLE = "COMPRESS_ALLOWED_HOSTS"  # names, separated by commas; "*.example.org", or "*" for any
POLICY_VIOLATION = 1008  # a websocket's code for it


class KnownHosts:
    """ASGI middleware that refuses other hosts (400) and other origins (403)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (refusal := why_not(Headers(scope=scope))):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            else:
                await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        await self._app(scope, receive, send)


def why_not(headers: Headers) -> tuple[int, str] | None:
    """The status and the sentence for a request that is refused."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_known(host_name(host)):
        return 400, (
            "This server does not answer to the name in the address. Whoever runs it can add the "
            f"name to {VARIABLE}."
        )
    if origin is not None and urlsplit(origin).netloc != host:
        return 403, "This server answers to its own pages only."
    return None


def is_known(name: str) -> bool:
    """Whether a host's name is this server's."""
    if is_this_machine(name) or _is_address(name) or name in own_names():
        return True
    allowed = [each.strip().lower() for each in os.environ.get(VARIABLE, "").split(",")]
    return bool(name) and any(_matches(name, pattern) for pattern in allowed)


def _matches(name: str, pattern: str) -> bool:
    return pattern == "*" or name == pattern or (pattern[:2] == "*." and name.endswith(pattern[1:]))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@cache
def own_names() -> frozenset[str]:
    """What this machine is called in its network."""
    name = socket.gethostname().lower()
    return frozenset({name, f"{name}.local", socket.getfqdn().lower()}) - {""}
