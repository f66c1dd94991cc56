"""The graphs that the viewer may show, each under a token that cannot be guessed, for an hour."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LIFETIME_S = 3600.0
MAX_ENTRIES = 512
MAX_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True)
class PublishedGraph:
    """A serialized ONNX graph and the name it is shown under."""

    model: bytes
    name: str


class GraphStore:
    """Graphs under unguessable tokens: bounded in number and bytes, each gone after its last use.

    Script threads write and the server's event loop reads, so every access takes the lock. Order
    of use is order of expiry: what is to go stands always in front.
    """

    def __init__(
        self,
        *,
        lifetime_s: float = LIFETIME_S,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lifetime_s = lifetime_s
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._graphs: OrderedDict[str, tuple[float, PublishedGraph]] = OrderedDict()
        self._bytes = 0

    def put(self, graph: PublishedGraph) -> str:
        """Keep a graph and return its new token; the least recently used make room.

        Raises ValueError if the graph alone is larger than the whole store.
        """
        if len(graph.model) > self._max_bytes:
            raise ValueError(
                f"the graph has {len(graph.model):,} bytes and the viewer keeps at most "
                f"{self._max_bytes:,}: strip its large tensors before publishing it"
            )
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._graphs[token] = (self._clock(), graph)
            self._bytes += len(graph.model)
            self._make_room()
        return token

    def get(self, token: str) -> PublishedGraph | None:
        """Return the token's graph and renew its lifetime; None if it is unknown or has expired."""
        with self._lock:
            self._make_room()
            if token not in self._graphs:
                return None
            _, graph = self._graphs[token]
            self._graphs[token] = (self._clock(), graph)
            self._graphs.move_to_end(token)
            return graph

    def forget(self, token: str) -> None:
        """Drop the token's graph, if there is one."""
        with self._lock:
            if token in self._graphs:
                self._drop(token)

    def _make_room(self) -> None:
        """Drop what has expired, then the least recently used until the bounds hold."""
        while self._graphs:
            token, (last_used, _) = next(iter(self._graphs.items()))
            expired = self._clock() - last_used > self._lifetime_s
            full = len(self._graphs) > self._max_entries or self._bytes > self._max_bytes
            if not (expired or full):
                return
            self._drop(token)

    def _drop(self, token: str) -> None:
        _, graph = self._graphs.pop(token)
        self._bytes -= len(graph.model)
