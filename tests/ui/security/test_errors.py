"""What a visitor reads where a route fails, and what the log says."""

import pytest
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from tests.ui.security.asking import ask, broken, fine
from ui.security import MIDDLEWARE
from ui.security.errors import SENTENCE, PlainErrors


def test_a_failure_is_one_sentence_and_the_log_has_the_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = ask(PlainErrors(broken), "/graph-viewer/secret-token.html")
    assert (answer.status, answer.body.decode()) == (500, SENTENCE)
    assert "/home/somebody/secret" in caplog.text
    assert "Traceback" in caplog.text
    assert "secret-token" not in caplog.text


def test_half_an_answer_breaks_off() -> None:
    async def halfway(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        ask(PlainErrors(halfway))


@pytest.mark.parametrize(
    ("host", "length", "status"),
    [("127.0.0.1", "0", 404), ("evil.test", "0", 400), ("127.0.0.1", "9999999", 413)],
)
def test_refusals_have_the_security_headers_too(host: str, length: str, status: int) -> None:
    answer = ask(Starlette(middleware=MIDDLEWARE), host=host, content_length=length)
    assert answer.status == status
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_goes_well_passes_through() -> None:
    assert ask(PlainErrors(fine)).status == 200
