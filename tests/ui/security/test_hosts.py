"""Which hosts and origins are answered."""

import socket

import pytest
from streamlit import net_util

from tests.ui.security.asking import ask, fine
from ui.security.hosts import POLICY_VIOLATION, VARIABLE, KnownHosts

APP = KnownHosts(fine)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8501",
        "localhost.",
        "lab.localhost:8501",
        "127.0.0.1:8501",
        "127.8.8.8",
        "[::1]:8501",
        "192.168.1.7:8501",
        "[fe80::1]",
        socket.gethostname(),
        f"{socket.gethostname()}.local:8501",
    ],
)
def test_the_machines_own_names_and_any_address_are_answered(host: str) -> None:
    assert ask(APP, host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "evil.test:8501",
        "localhost.evil.test",
        "127.0.0.1.evil.test",
        "evil.test#localhost",
        "evil.test@localhost",
        "localhost@evil.test",
        "[::1].evil.test",
        "notlocalhost",
        "",
        " ",
        "localhost:x",
    ],
)
def test_any_other_name_is_refused_in_a_sentence(host: str) -> None:
    """A site that gives its name our address would read what our visitors read."""
    answer = ask(APP, host=host)
    assert answer.status == 400
    assert VARIABLE.encode() in answer.body


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        ("lab.example.org", "lab.example.org:443", 200),
        ("a.test, LAB.example.org", "lab.example.org", 200),
        ("*.example.org", "lab.example.org", 200),
        ("*.example.org", "example.org", 400),
        ("*.example.org", "evilexample.org", 400),
        ("lab.example.org", "evil.test", 400),
        ("*", "evil.test", 200),
    ],
)
def test_whoever_starts_the_server_adds_names(
    allowed: str, host: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, allowed)
    assert ask(APP, host=host).status == status


@pytest.mark.parametrize(
    "origin", ["http://evil.test", "null", "http://127.0.0.1:9999", "http://127.0.0.1", "x"]
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_another_origin_is_refused_before_streamlit_asks_the_internet_who_we_are(
    origin: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net_util, "get_external_ip", lambda: pytest.fail("asked"))
    answer = ask(APP, "/_stcore/stream", kind=kind, origin=origin)
    assert answer.status == (403 if kind == "http" else POLICY_VIOLATION)


def test_our_own_origin_is_answered() -> None:
    assert ask(APP, origin="http://127.0.0.1:8501").status == 200
    assert ask(APP, origin="https://lab.localhost", host="lab.localhost").status == 200


def test_a_websocket_of_another_host_is_closed() -> None:
    assert ask(APP, kind="websocket", host="evil.test").status == POLICY_VIOLATION
