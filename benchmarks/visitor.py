"""A visitor of the running app without a browser: Streamlit's protocol over its websocket.

It does what the browser does between server and screen: it keeps the states of the widgets and
sends them all with each rerun, fetches the profiles of the live pictures, and wakes the fragments
that ask for it. It draws nothing, so one process can be a whole class.
"""

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import unescape
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Delta_pb2 import Delta
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.Slider_pb2 import Slider
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

# how the keys of timers and of places below the fold end, see ui/wake_up and ui/in_view
WAKE_UP, IN_VIEW = "_wake_up", "_in_view"
PATIENCE_S = 60.0
CELL = re.compile(
    r'data-strip="(\w+)" data-of="(.*?)" .*?data-values="(.*?)".*?class="below">(.*?)</div>',
    re.DOTALL,
)


@dataclass(frozen=True)
class Shown:
    """A number of the line over the page: when it came (perf_counter), of which model and recipe it
    is, its values, and what stands below it."""

    at: float
    of: str
    values: tuple[float, ...]
    below: str


class Visitor:
    """One session. Errors that the app shows or answers with are listed in `errors`."""

    def __init__(self, socket: ClientConnection, origin: str) -> None:
        self.numbers: dict[str, Shown] = {}  # score, bytes, sparsity, macs
        self.errors: list[str] = []
        self.messages = self.bytes_received = 0
        self._socket, self._origin = socket, origin
        self._widgets: dict[str, WidgetState] = {}  # by id
        self._places: dict[str, tuple[str, str]] = {}  # key → id, fragment
        self._drawn: set[str] = set()
        self._pages: dict[str, str] = {}  # name → hash
        self._page = ""
        self._fetched: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._turns: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()
        self._finished = self.whole_runs = 0
        self._do(self._read())

    @classmethod
    async def enter(cls, origin: str) -> "Visitor":
        address = origin.replace("http", "ws", 1) + "/_stcore/stream"
        socket = await connect(
            address,
            subprotocols=[Subprotocol("streamlit")],
            max_size=None,
            compression=None,
            ping_timeout=None,
        )
        return cls(socket, origin)

    async def leave(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await self._socket.close()

    async def open(self, page: str, query: str = "") -> None:
        """Open a page by its address, and wait until it stands."""
        before = self._finished
        message = BackMsg()
        message.rerun_script.query_string = query
        message.rerun_script.page_name = "" if page == "overview" else page
        await self._socket.send(message.SerializeToString())
        await self.wait(lambda: self._finished > before)
        self._page = self._pages[page]

    async def turn_to(self, page: str) -> None:
        """Click on a page in the navigation."""
        self._page = self._pages[page]
        await self._rerun("")

    def value(self, key: str) -> float:
        """The number that the widget called `key` shows."""
        return self._widgets[self._places[key][0]].double_value

    async def set(self, key: str, value: float | str, *, within: str = "") -> None:
        """Give the widget called `key` a value, as its user does. A message about the part of the
        page where the widget `within` stands carries it, else one about its own part."""
        state, fragment = self._widgets[self._places[key][0]], self._places[within or key][1]
        kind = state.WhichOneof("value")
        if kind == "double_array_value":
            state.double_array_value.data[:] = [float(value)]
        else:
            assert kind is not None
            setattr(state, kind, value)
        await self._rerun(fragment)

    async def look_down(self, patience_s: float = PATIENCE_S) -> bool:
        """Scroll through the page, and wait until all that was not drawn before is there."""
        for key in [key for key in self._places if key.endswith(IN_VIEW)]:
            before = self._finished
            found, fragment = self._places[key]
            await self._rerun(fragment, _trigger(found, "seen", True))
            if not await self.wait(partial(self._has_finished, before), patience_s):
                return False
        return True

    def _has_finished(self, before: int) -> bool:
        return self._finished > before

    def has(self, key: str) -> bool:
        return key in self._places

    async def wait(self, until: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
        """Whether `until` became true in time; it is asked whenever something has come."""
        try:
            async with asyncio.timeout(patience_s), self._news:
                await self._news.wait_for(until)
        except TimeoutError:
            return False
        return True

    async def _rerun(self, fragment: str, *triggers: WidgetState) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.page_script_hash, state.fragment_id = self._page, fragment
        state.widget_states.widgets.extend([*self._widgets.values(), *triggers])
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        try:
            async for raw in self._socket:
                assert isinstance(raw, bytes)
                message = ForwardMsg()
                message.ParseFromString(raw)
                self.messages, self.bytes_received = (
                    self.messages + 1,
                    self.bytes_received + len(raw),
                )
                self._take(message)
                async with self._news:
                    self._news.notify_all()
        except ConnectionClosed as error:
            self.errors.append(f"the connection broke: {error}")

    def _take(self, message: ForwardMsg) -> None:
        match message.WhichOneof("type"):
            case "new_session":
                if not message.metadata.run.fragment_ids:
                    self._drawn.clear()
            case "navigation":
                pages = message.navigation.app_pages
                self._pages = {
                    "overview" if page.is_default else page.url_pathname: page.page_script_hash
                    for page in pages
                }
            case "delta":
                self._draw(message.delta)
            case "script_finished":
                if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    self._forget_undrawn()
                    self.whole_runs += 1
                self._finished += 1

    def _forget_undrawn(self) -> None:
        for key, (found, _) in list(self._places.items()):
            if found not in self._drawn:
                del self._places[key]
                self._widgets.pop(found, None)

    def _draw(self, delta: Delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            return
        element: Element = delta.new_element
        kind = element.WhichOneof("type")
        assert kind is not None
        found = getattr(element, kind)
        match kind:
            case "html":
                for name, label, numbers, below in CELL.findall(found.body):
                    values = tuple(map(float, numbers.split()))
                    self.numbers[name] = Shown(time.perf_counter(), unescape(label), values, below)
            case "exception":
                self.errors.append(f"{found.type}: {found.message}")
            case "bidi_component":
                self._mount(found, delta.fragment_id)
            case _ if kind in STATES:
                self._place(found.id, delta.fragment_id)
                if found.id not in self._widgets or getattr(found, "set_value", False):
                    state = WidgetState(id=found.id)
                    STATES[kind](found, state)
                    self._widgets[found.id] = state

    def _place(self, found: str, fragment: str) -> str:
        key = found.split("-", 2)[2]
        self._places[key] = (found, fragment)
        self._drawn.add(found)
        return key

    def _mount(self, component: Any, fragment: str) -> None:
        key, data = self._place(component.id, fragment), json.loads(component.json or "{}")
        if key.endswith(WAKE_UP):
            self._set_timer(key, component.id, fragment, data)
        for address in (data.get("profiles"), data.get("view")):
            if address and address not in self._fetched:
                self._fetched.add(address)
                self._do(asyncio.to_thread(self._fetch, address))

    def _set_timer(self, key: str, found: str, fragment: str, data: Any) -> None:
        if self._turns.get(key) == data["turn"]:
            return
        self._turns[key] = data["turn"]
        if key in self._timers:
            self._timers[key].cancel()
        trigger = _trigger(found, "now", data["turn"])
        self._timers[key] = asyncio.get_running_loop().call_later(
            data["after_ms"] / 1000, self._wake, found, fragment, trigger
        )

    def _wake(self, found: str, fragment: str, trigger: WidgetState) -> None:
        if found in {place for place, _ in self._places.values()}:
            self._do(self._rerun(fragment, trigger))

    def _fetch(self, address: str) -> None:
        with urllib.request.urlopen(f"{self._origin}/{address.lstrip('/.')}") as response:
            response.read()

    def _do(self, work: Any) -> None:
        async def done() -> None:
            try:
                await work
            except ConnectionClosed:
                pass
            except Exception as error:
                self.errors.append(f"{type(error).__name__}: {error}")

        task = asyncio.ensure_future(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _trigger(component: str, event: str, value: Any) -> WidgetState:
    """What a component of this id says with `setTriggerValue`."""
    state = WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{component}__events")
    state.json_trigger_value = json.dumps([{"event": event, "value": value}])
    return state


def _selected(proto: Any, state: WidgetState) -> None:
    state.string_value = proto.raw_value if proto.set_value else proto.options[proto.default]


def _typed(proto: Any, state: WidgetState) -> None:
    state.string_value = proto.value if proto.set_value else proto.default


def _number(proto: Any, state: WidgetState) -> None:
    state.double_value = proto.value if proto.set_value else proto.default


def _checked(proto: Any, state: WidgetState) -> None:
    state.bool_value = proto.value if proto.set_value else proto.default


def _slid(proto: Any, state: WidgetState) -> None:
    if proto.type == Slider.SELECT_SLIDER:
        chosen = (
            proto.raw_value if proto.set_value else [proto.options[int(i)] for i in proto.default]
        )
        state.string_array_value.data[:] = chosen
    else:
        state.double_array_value.data[:] = proto.value if proto.set_value else proto.default


def _picked(proto: Any, state: WidgetState) -> None:
    chosen = (
        proto.raw_values if proto.set_value else [proto.options[i].content for i in proto.default]
    )
    state.string_array_value.data[:] = chosen


# What the browser says of a widget that nobody has touched, by the element's kind.
STATES: dict[str, Callable[[Any, WidgetState], None]] = {
    "selectbox": _selected,
    "text_input": _typed,
    "number_input": _number,
    "checkbox": _checked,
    "slider": _slid,
    "button_group": _picked,
}
