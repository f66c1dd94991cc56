"""The component's scripts, and the profiles it draws, on the app's own origin.

A profile's address is the digest of its content: a browser may keep it for ever, equal profiles
are one, and nobody finds one whose content he does not know.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = Path(__file__).parent
PREFIX = "live-histogram"
SCRIPTS = frozenset(path.name for path in FOLDER.glob("*.js"))
MAX_BYTES = 64 * 1024 * 1024
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


class ProfileStore:
    """Blobs by the digest of their content; the least recently published make room."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._blobs: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._max_bytes = max_bytes

    def put(self, blob: bytes) -> str:
        """Keep a blob, now the freshest, and return its digest."""
        digest = hashlib.sha256(blob).hexdigest()[:32]
        with self._lock:
            self._blobs[digest] = blob
            self._blobs.move_to_end(digest)
            while len(self._blobs) > 1 and sum(map(len, self._blobs.values())) > self._max_bytes:
                self._blobs.popitem(last=False)
        return digest

    def get(self, digest: str) -> bytes | None:
        with self._lock:
            return self._blobs.get(digest)


_STORE = ProfileStore()


def publish(blob: bytes) -> str:
    """Put a blob before the browser; returns its address, relative to the page's."""
    return f"{PREFIX}/profiles/{_STORE.put(blob)}"


def pack(layers: Sequence[Any]) -> bytes:
    """Dataclasses of numbers, texts and float32 arrays as one blob.

    The length of a JSON header (u32, little endian), the header, padded with spaces to a multiple
    of four, then the arrays; in the header each array stands as its offset in bytes and its length.
    """
    arrays: list[bytes] = []
    offset = 0
    entries = []
    for layer in layers:
        entry: dict[str, Any] = {}
        for name, value in vars(layer).items():
            if isinstance(value, np.ndarray):
                raw = np.ascontiguousarray(value, "<f4").tobytes()
                entry[name] = {"offset": offset, "length": value.size}
                arrays.append(raw)
                offset += len(raw)
            else:
                entry[name] = value
        entries.append(entry)
    header = json.dumps({"layers": entries}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    return len(header).to_bytes(4, "little") + header + b"".join(arrays)


async def profile(request: Request) -> Response:
    blob = _STORE.get(request.path_params["digest"])
    if blob is None:
        return PlainTextResponse("This profile is gone: reload the page.", status_code=404)
    return Response(blob, media_type="application/octet-stream", headers=FOR_EVER)


async def script(request: Request) -> Response:
    """One of the component's scripts by its exact name; 404 for any other.

    Browsers ask again on each load, and are told "not modified" while it is the same.
    """
    name = request.path_params["name"]
    if name not in SCRIPTS:
        return PlainTextResponse("No such script.", status_code=404)
    text = (FOLDER / name).read_bytes()
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="text/javascript", headers=headers)


ROUTES = [
    Route(f"/{PREFIX}/profiles/{{digest}}", profile),
    Route(f"/{PREFIX}/{{name}}", script),
]
