"""The page on which a fragment runs, after Back and after a link."""

from unittest.mock import Mock

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

import app  # noqa: F401  # installs it
from ui.session import last_page


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages of the reruns that Streamlit is asked for, in a line."""
    found: list[str] = []

    def record(_session: AppSession, client_state: ClientState | None) -> None:
        found.append(client_state.page_script_hash if client_state else "no state")

    monkeypatch.setattr(last_page, "plain_rerun", record)
    return found


def ask(session: AppSession, page: str, fragment: str = "") -> None:
    state = ClientState(page_script_hash=page, fragment_id=fragment)
    last_page.request_rerun(session, state)


def new_session() -> AppSession:
    session: AppSession = Mock(spec=AppSession)
    return session


def test_a_fragment_of_the_page_that_was_left_runs_on_the_one_that_was_asked_for(
    pages: list[str],
) -> None:
    session = new_session()
    ask(session, "prune")
    ask(session, "prune", fragment="accuracy")
    ask(session, "combine")
    ask(session, "prune", fragment="accuracy")
    ask(session, "combine", fragment="accuracy")
    assert pages == ["prune", "prune", "combine", "combine", "combine"]


def test_the_first_run_names_no_page_and_fragments_after_it_keep_their_own(
    pages: list[str],
) -> None:
    session = new_session()
    ask(session, "")
    ask(session, "prune", fragment="accuracy")
    assert pages == ["", "prune"]


def test_each_session_has_a_page_of_its_own(pages: list[str]) -> None:
    one, other = new_session(), new_session()
    ask(one, "prune")
    ask(other, "combine")
    ask(one, "combine", fragment="accuracy")
    assert pages == ["prune", "combine", "prune"]


def test_a_rerun_without_a_state_of_the_browser_passes(pages: list[str]) -> None:
    last_page.request_rerun(new_session(), None)
    assert pages == ["no state"]


@pytest.mark.parametrize(
    ("fired", "runs"),
    [
        (["wake-up"], "accuracy"),
        (["wake-up", "check"], ""),
        (["check"], ""),
        (["unknown"], "accuracy"),
        ([], "accuracy"),
    ],
)
def test_a_click_that_is_sent_with_anothers_timer_reruns_the_whole_app(
    monkeypatch: pytest.MonkeyPatch, fired: list[str], runs: str
) -> None:
    fragments: list[str] = []
    monkeypatch.setattr(
        last_page, "plain_rerun", lambda _session, state: fragments.append(state.fragment_id)
    )
    session = new_session()
    known = {"wake-up": Mock(fragment_id="accuracy"), "check": Mock(fragment_id="lesson")}
    session.session_state._new_widget_state.widget_metadata = known
    state = ClientState(page_script_hash="prune", fragment_id="accuracy")
    state.widget_states.widgets.add(id="check", string_value="no trigger")
    for name in fired:
        state.widget_states.widgets.add(id=name, json_trigger_value="[1]")
    last_page.request_rerun(session, state)
    assert fragments == [runs]


def test_importing_the_app_installs_it() -> None:
    assert AppSession.request_rerun is last_page.request_rerun
