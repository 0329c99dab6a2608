"""Everything that the app uses of Streamlit beside its public interface: requirements.txt pins the minor version."""

from __future__ import annotations

from streamlit.runtime.pages_manager import PagesManager


def serve_pages_through_app_only() -> None:
    """Let no file of `pages/` run without app.py.

    Streamlit learns of `st.navigation` when app.py first runs in the process. Before that it would run the file of a
    page for a visitor who opens the page's own address.
    """
    PagesManager.uses_pages_directory = False


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
