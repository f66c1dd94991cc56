"""The address that files are sent to: the body is the file, and goes to disk as it comes.

Nothing is parsed. A page of another site can send here neither by a form nor by a script: it knows
no token, and the header with the name makes browsers ask first, which nobody answers.
"""

import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import unquote, urlsplit

import anyio
from anyio import to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ui.language import N_, catalog
from ui.upload.names import clean_name, suffix_of
from ui.upload.store import GONE, Grant, RefusedError, Upload, UploadStore

PREFIX = "upload"
NAME_HEADER = "x-upload-name"  # percent-encoded
IDLE_S = 30.0  # without a byte
LONGEST_S = 3600.0  # for a whole file
BLOCK = 1 << 20  # bytes that are written at once
SWEEP_S = 600.0  # between two looks for what has expired, where nobody uploads
PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_STORE = UploadStore()

Answering = Callable[[Request, Grant], Awaitable[dict[str, object]]]


def store() -> UploadStore:
    """The store of the running server, also after this module was imported anew (see
    `ui.graph.routes`)."""
    found: UploadStore = importlib.import_module(__name__)._STORE
    return found


def _granted(answer: Answering) -> Callable[[Request], Awaitable[Response]]:
    """A route for those who have a token; who is refused reads why, in the page's language."""

    async def route(request: Request) -> Response:
        grant = store().granted(request.path_params["token"])
        try:
            _check_origin(request)
            if grant is None:
                raise RefusedError(404, GONE)
            return JSONResponse(await answer(request, grant), headers=PRIVATE)
        except RefusedError as error:
            text = catalog(grant.language if grant else "en").gettext(error.text)
            said = text.format(**error.values)
            return JSONResponse({"error": said}, error.status, headers=PRIVATE)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it

    return route


def _check_origin(request: Request) -> None:
    """Raise RefusedError unless a script of our own page asks."""
    headers = request.headers
    own = headers.get("sec-fetch-site", "same-origin") == "same-origin"
    if "sec-fetch-site" not in headers and "origin" in headers:  # plain http, not this machine
        own = urlsplit(headers["origin"]).netloc == headers.get("host")
    if not own or NAME_HEADER not in headers:
        raise RefusedError(403, N_("Only a page of this app may upload here."))


async def may_upload(request: Request, grant: Grant) -> dict[str, object]:
    """Whether there is room for `?bytes=…&files=…`: an answer before anything was sent."""
    sizes = [request.query_params.get(name, "") for name in ("bytes", "files")]
    if not all(_is_number(size) for size in sizes):
        raise RefusedError(400, N_("The request does not say how much is to be uploaded."))
    store().check(grant.session, int(sizes[0]), int(sizes[1]))
    return {}


async def receive(request: Request, grant: Grant) -> dict[str, object]:
    """Take one file; its id is the answer. Whatever goes wrong, nothing of it stays."""
    name = clean_name(unquote(request.headers[NAME_HEADER]))
    suffix = suffix_of(name, grant.suffixes)
    if suffix is None:
        listed = ", ".join(grant.suffixes)
        raise RefusedError(
            415, N_("{name} is none of the accepted kinds: {kinds}"), name=name, kinds=listed
        )
    size = request.headers.get("content-length", "")
    if not _is_number(size):
        raise RefusedError(411, N_("The request does not say how large the file is."))
    upload = store().reserve(grant.session, name, suffix, int(size))
    try:
        await _write(upload, request.stream())
        store().arrive(upload)
    except BaseException:  # also a server that stops
        store().discard([upload])
        raise
    return {"id": upload.id}


async def _write(upload: Upload, chunks: AsyncIterator[bytes]) -> None:
    """Write a body to its file, a block at a time; raises RefusedError if it is too slow, or not as
    long as was said."""
    written = 0
    file = os.open(upload.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with anyio.fail_after(LONGEST_S):
            async for block in _blocks(chunks):
                written += len(block)
                if written > upload.bytes:
                    break
                await to_thread.run_sync(_write_all, file, block)
    except TimeoutError:
        raise RefusedError(408, N_("The upload was too slow, and was given up.")) from None
    except OSError as error:
        raise RefusedError(
            507, N_("The server could not write the file: its disk may be full.")
        ) from error
    finally:
        os.close(file)
    if written != upload.bytes:
        raise RefusedError(400, N_("The file did not arrive as a whole: send it again."))


async def _blocks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Chunks joined to blocks; TimeoutError where no byte comes for a while."""
    block = bytearray()
    with suppress(StopAsyncIteration):
        while True:
            with anyio.fail_after(IDLE_S):
                block += await anext(chunks)
            if len(block) >= BLOCK:
                yield bytes(block)
                block.clear()
    yield bytes(block)


def _write_all(file: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest) :]


async def drop(request: Request, grant: Grant) -> dict[str, object]:
    """Delete a file that has arrived, because its visitor took it back."""
    store().discard(store().find(grant.session, [request.path_params["id"]]))
    return {}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


@asynccontextmanager
async def serving() -> AsyncIterator[None]:
    """While the server runs: what has expired is deleted, and at the end everything."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_sweep)
        yield
        tasks.cancel_scope.cancel()
    store().close()


async def _sweep() -> None:
    while True:
        await anyio.sleep(SWEEP_S)
        await to_thread.run_sync(store().expire)


ROUTES = [
    Route(f"/{PREFIX}/{{token}}", _granted(may_upload), methods=["GET"]),
    Route(f"/{PREFIX}/{{token}}", _granted(receive), methods=["POST"]),
    Route(f"/{PREFIX}/{{token}}/{{id}}", _granted(drop), methods=["DELETE"]),
]
