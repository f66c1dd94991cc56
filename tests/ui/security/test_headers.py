"""The headers that every answer has."""

import hashlib
from base64 import b64encode

import pytest
from starlette.types import Receive, Scope, Send

from tests.ui.security.asking import ask, fine
from ui.language import LANGUAGES, telling_script
from ui.security.headers import SecurityHeaders, inline_scripts, policy


def rules(host: str = "app.test") -> dict[str, list[str]]:
    """The directives of the policy and their sources."""
    parts = [part.split() for part in policy(host).split("; ")]
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize(
    ("directive", "sources"),
    [
        ("default-src", ["'self'"]),
        ("object-src", ["'none'"]),
        ("base-uri", ["'self'"]),
        ("form-action", ["'self'"]),
        ("frame-ancestors", ["'self'"]),
        ("frame-src", ["'self'"]),
    ],
)
def test_nothing_comes_from_elsewhere_and_nobody_frames_us(
    directive: str, sources: list[str]
) -> None:
    assert rules()[directive] == sources


def test_no_directive_names_a_host_but_our_own() -> None:
    named = {source for sources in rules().values() for source in sources if "." in source}
    assert named == {"ws://app.test", "wss://app.test"}


def test_scripts_are_ours_or_named_by_their_digest() -> None:
    first, second, *digests = rules()["script-src"]
    assert (first, second) == ("'self'", "blob:")
    assert all(each.startswith("'sha256-") for each in digests)
    assert len(digests) == 1 + len(LANGUAGES)  # Streamlit's page has one


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_script_that_tells_the_language_may_run(language: str) -> None:
    text = telling_script(language).removeprefix("<script>").removesuffix("</script>")
    expected = b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"'sha256-{expected}'" in inline_scripts()


@pytest.mark.parametrize("host", ["a b", "x;script-src *", "x'", "x\ny", "", "é"])
def test_no_host_writes_into_the_policy(host: str) -> None:
    assert policy(host) == policy("")


def test_every_answer_has_the_headers() -> None:
    headers = ask(SecurityHeaders(fine)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert "camera=()" in headers["permissions-policy"]
    assert headers["content-security-policy"] == policy("127.0.0.1:8501")


def test_what_an_answer_says_itself_stays() -> None:
    async def graph(_scope: Scope, _receive: Receive, send: Send) -> None:
        own = [(b"content-security-policy", b"default-src 'none'")]
        await send({"type": "http.response.start", "status": 200, "headers": own})

    assert ask(SecurityHeaders(graph)).headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    ("host", "has"), [("localhost:8501", True), ("[::1]:8501", True), ("10.0.0.5:8501", False)]
)
def test_windows_are_parted_where_browsers_do_it(host: str, has: bool) -> None:
    """Over plain http to another machine they complain in the console instead."""
    assert ("cross-origin-opener-policy" in ask(SecurityHeaders(fine), host=host).headers) == has
