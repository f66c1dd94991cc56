"""A fragment runs on the page that the browser asked for last.

With each rerun the browser names the page that it shows. From a press on Back, or on a link of the
navigation, until the server answers, that is the page that was left. Streamlit 1.67 takes the name
as it is when a click or a timer asks for a fragment in this moment. Then the browser, told that the
page changes, clears the new page, which nothing draws again; or the server forgets that another
page was asked for. Streamlit has no option for this, so one of its methods is replaced.
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
    if client_state is not None and client_state.fragment_id:
        client_state.page_script_hash = asked.get(session) or client_state.page_script_hash
    elif client_state is not None:
        asked[session] = client_state.page_script_hash
    plain_rerun(session, client_state)
