"""The limits of a server for a class, its address, and the page that only the instructor opens."""

import asyncio
import re
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.whole_app import WholeApp
from ui import classroom
from ui.classroom import limits
from ui.classroom.limits import Facts, Limits
from ui.session.state import ROOT

SHELL = ROOT / "ui" / "shell.py"


@pytest.fixture(autouse=True)
def facts(monkeypatch: pytest.MonkeyPatch) -> Facts:
    made = Facts()
    monkeypatch.setattr(limits, "facts", made)
    return made


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def status(front: Limits, path: str = "/", client: str = "10.0.0.1") -> int:
    """The answer to a request."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "client": (client, 1)}
    asyncio.run(front(scope, receive, send))  # type: ignore[arg-type]
    found: int = sent[0]["status"]
    return found


def test_uploads_are_refused() -> None:
    assert status(Limits(app), f"{limits.UPLOADS}/session/file") == 403


def test_one_address_has_so_many_requests_and_the_others_have_theirs(
    monkeypatch: pytest.MonkeyPatch, facts: Facts
) -> None:
    monkeypatch.setattr(limits, "MOST_REQUESTS", 3)
    front = Limits(app)
    assert [status(front) for _ in range(4)] == [200, 200, 200, 429]
    assert status(front, client="10.0.0.2") == 200
    assert facts.refused == {"too many requests": 1}


def test_requests_count_anew_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_REQUESTS", 1)
    monkeypatch.setattr(limits, "WINDOW_S", 0.0)
    front = Limits(app)
    assert [status(front) for _ in range(3)] == [200, 200, 200]


def test_a_full_class_admits_nobody_until_somebody_leaves(
    monkeypatch: pytest.MonkeyPatch, facts: Facts
) -> None:
    monkeypatch.setattr(limits, "MOST_VISITORS", 1)
    assert asyncio.run(_visit_twice()) == ["admitted", limits.TRY_AGAIN_LATER]
    assert (facts.visitors, facts.most_visitors) == (0, 1)
    assert asyncio.run(_visit_twice()) == ["admitted", limits.TRY_AGAIN_LATER]


async def _visit_twice() -> list[object]:
    """What two visitors meet, of whom the first stays while the second comes."""
    met: list[object] = []
    leaves = asyncio.Event()

    async def stay(_scope: Scope, _receive: Receive, _send: Send) -> None:
        met.append("admitted")
        await leaves.wait()

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        met.append(message["code"])

    front, scope = Limits(stay), {"type": "websocket", "path": "/_stcore/stream"}
    first = asyncio.ensure_future(front(scope, receive, send))
    await asyncio.sleep(0)
    await front(scope, receive, send)
    leaves.set()
    await first
    return met


def test_the_console_says_the_address_the_limits_and_what_opens_the_instructors_page() -> None:
    serve = pytest.importorskip("ui.classroom.serve", reason="segno is not installed")
    said = serve.welcome("http://10.0.0.7:8501", "secret", Path("class.svg"))
    assert "http://10.0.0.7:8501/instructor?token=secret" in said
    assert "80 visitors" in said
    assert "--server.address=0.0.0.0" in serve.command(8501)


def test_nobody_on_the_internet_is_asked_for_the_servers_address() -> None:
    """Streamlit would, on a machine without a display."""
    serve = pytest.importorskip("ui.classroom.serve", reason="segno is not installed")
    assert f"--browser.serverAddress={serve.own_address()}" in serve.command(8501)


def test_the_qr_code_is_an_svg() -> None:
    serve = pytest.importorskip("ui.classroom.serve", reason="segno is not installed")
    assert re.match(r"<svg .*</svg>$", serve.qr_code("http://10.0.0.7:8501"), re.DOTALL)


@pytest.mark.parametrize(("given", "opens"), [("secret", True), ("guess", False), ("", False)])
def test_only_who_has_the_token_sees_the_instructors_page(
    given: str, opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("segno")
    monkeypatch.setenv(classroom.TOKEN_VARIABLE, "secret")
    monkeypatch.setenv(classroom.ADDRESS_VARIABLE, "http://10.0.0.7:8501")
    page = WholeApp(SHELL, default_timeout=60)
    page.run()
    page.query_params["token"] = given
    page.switch_page(str(ROOT / "pages" / "instructor.py")).run()
    assert not page.exception
    assert any("http://10.0.0.7:8501" in text.value for text in page.markdown) == opens
    assert bool(page.error) != opens
