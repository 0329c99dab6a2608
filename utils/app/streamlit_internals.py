"""Everything that the app uses of Streamlit beside its public interface: requirements.txt pins the minor version."""

from __future__ import annotations

from functools import cache
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner_utils import script_requests
from streamlit.runtime.state.safe_session_state import SafeSessionState


def serve_pages_through_app_only() -> None:
    """Let no file of `pages/` run without app.py.

    Streamlit learns of `st.navigation` when app.py first runs in the process. Before that it would run the file of a
    page for a visitor who opens the page's own address.
    """
    PagesManager.uses_pages_directory = False


@cache
def lose_no_action() -> None:
    """Let every action of the user reach its callback, however quickly others follow; fast reruns must be off.

    Streamlit joins requests that wait for the same run. The request for another page has only the values of that page,
    and of an earlier request it keeps the buttons that were pressed, but not, for instance, a comment that was written.
    And it looks for the next request whenever a callback uses the session state: the callback ended there.
    """
    joined_by_streamlit = script_requests._coalesce_widget_states
    called_by_streamlit = SafeSessionState.on_script_will_rerun

    def joined(old: WidgetStates | None, new: WidgetStates | None) -> WidgetStates | None:
        states = joined_by_streamlit(old, new)
        if old and new and states:
            known = {state.id for state in states.widgets}
            states.widgets.extend(state for state in old.widgets if state.id not in known)
        return states

    def called(state: SafeSessionState, *arguments: Any, **options: Any) -> None:
        look_for_request = state._yield_callback
        object.__setattr__(state, "_yield_callback", lambda: None)  # its own __setattr__ sets session state
        try:
            called_by_streamlit(state, *arguments, **options)
        finally:
            object.__setattr__(state, "_yield_callback", look_for_request)

    script_requests._coalesce_widget_states = joined  # type: ignore[assignment]
    SafeSessionState.on_script_will_rerun = called  # type: ignore[assignment, method-assign]


def open_browser_at(address: str) -> None:
    """Open the user's browser at a host name or address of this server."""
    from streamlit.cli_util import open_browser
    from streamlit.web.server.server_util import get_display_address, get_url

    open_browser(get_url(get_display_address(address)))


def login_cookie_name() -> str:
    """The cookie that Streamlit sets after a login and reads `st.user` from."""
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    return USER_COOKIE_NAME


def is_signed_login(cookie: bytes) -> bool:
    """Whether Streamlit signed this value of the login cookie."""
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    return decode_signed_value(get_cookie_secret(), login_cookie_name(), cookie) is not None
