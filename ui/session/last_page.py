"""A fragment runs on the page that the browser asked for last, and alone only if nobody else asked.

With each rerun the browser names the page that it shows. From a press on Back, or on a link of the
navigation, until the server answers, that is the page that was left. Streamlit 1.67 takes the name
as it is when a click or a timer asks for a fragment in this moment. Then the browser, told that the
page changes, clears the new page, which nothing draws again; or the server forgets that another
page was asked for.

What happens in one tick, a click and a timer of ours, the browser sends together, as if all were of
the fragment that came first; the click would show nothing. Then the whole app runs.

Streamlit has no option for either, so one of its methods is replaced.
"""

from weakref import WeakKeyDictionary

from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession

plain_rerun = AppSession.request_rerun
asked: WeakKeyDictionary[AppSession, str] = WeakKeyDictionary()  # the page's hash, "" at first


def install() -> None:
    """Put `request_rerun` in the place of Streamlit's own, for all sessions of this server."""
    AppSession.request_rerun = request_rerun  # type: ignore[method-assign, assignment]


def request_rerun(session: AppSession, client_state: ClientState | None) -> None:
    """Streamlit's own, with the page put right where only a fragment is to run.

    It relies on the app never changing the page by itself (`st.switch_page`).
    """
    if client_state is not None and _asks_for_others(session, client_state):
        client_state.fragment_id = ""
        client_state.page_script_hash = asked.get(session) or client_state.page_script_hash
    elif client_state is not None and client_state.fragment_id:
        client_state.page_script_hash = asked.get(session) or client_state.page_script_hash
    elif client_state is not None:
        asked[session] = client_state.page_script_hash
    plain_rerun(session, client_state)


def _asks_for_others(session: AppSession, client_state: ClientState) -> bool:
    """Whether a trigger, which is sent once, is of another fragment than the one that is to run."""
    if not client_state.fragment_id:
        return False
    known = session.session_state._new_widget_state.widget_metadata
    fired = (
        known.get(widget.id)
        for widget in client_state.widget_states.widgets
        if str(widget.WhichOneof("value")).endswith("trigger_value")
    )
    return any(found and found.fragment_id != client_state.fragment_id for found in fired)
