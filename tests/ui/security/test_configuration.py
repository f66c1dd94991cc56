"""What Streamlit is told: this machine alone may connect, and nothing is sent anywhere."""

import tomllib

import pytest
from streamlit import config

from ui.session.state import ROOT

CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())


def test_only_this_machine_may_connect() -> None:
    assert CONFIG["server"]["address"] == "127.0.0.1"


def test_no_statistics_are_sent() -> None:
    assert CONFIG["browser"]["gatherUsageStats"] is False


def test_a_visitor_reads_no_traceback() -> None:
    assert CONFIG["client"]["showErrorDetails"] == "none"


@pytest.mark.parametrize("option", ["enableCORS", "enableXsrfProtection"])
def test_streamlits_own_protection_is_on(option: str) -> None:
    assert config.get_option(f"server.{option}") is True
    assert option not in CONFIG["server"]


def test_the_app_has_the_middleware_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    import app
    from ui.security import MIDDLEWARE

    assert app.middleware[: len(MIDDLEWARE)] == MIDDLEWARE
