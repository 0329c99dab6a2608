"""Who may use the app: everybody on this machine, or, where a login is configured, whoever has logged in."""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.runtime.pages_manager import PagesManager

from utils.app import privacy

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOGIN_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
SHORTEST_SECRET = 32  # characters: whoever guesses the cookie secret is whoever he likes
OPEN_ADDRESSES = ("/_stcore/health", "/_stcore/host-config")  # of Streamlit's own; the login page needs them


class LoginMisconfigured(ValueError):
    """The login cannot work as it is configured. Its text is one sentence for the person who runs the server."""


def prepare() -> list[Middleware]:
    """Make the process ready to serve, before it answers anybody; what app.py gives to Streamlit's server.

    Ends the process with one sentence where a login is configured and cannot work.
    """
    privacy.keep_everything_in_memory()
    # Else Streamlit, which knows nothing of `st.navigation` before app.py has run once in the process, would let the
    # first visitor who comes by a page's own address run that file of `pages/` without app.py.
    PagesManager.uses_pages_directory = False
    try:
        return [Middleware(LoginWall)] if login_required() else []
    except LoginMisconfigured as error:
        sys.exit(f"The app does not start. {error}")


@asynccontextmanager
async def opening(_: st.App) -> AsyncIterator[None]:
    """Say in the terminal who can use the app and, on a desktop, open the browser, as `streamlit run` does."""
    print(words_at_start(), flush=True)
    if not st.get_option("server.headless"):
        from streamlit.cli_util import open_browser
        from streamlit.web.server.server_util import get_display_address, get_url

        open_browser(get_url(get_display_address(st.get_option("server.address") or "localhost")))
    yield


@functools.cache
def login_required() -> bool:
    """Whether the secrets have a section `[auth]`; asked once, so that a file that vanishes later opens nothing.

    Raises LoginMisconfigured where they are there but cannot be used: Streamlit itself would start without login.
    """
    files = [Path(name) for name in st.get_option("secrets.files")]
    if not any(file.exists() for file in files):
        return False
    try:
        secrets = st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        raise LoginMisconfigured(f"The secrets cannot be read, mend or remove them: {error}") from error
    if "auth" not in secrets:
        return False
    _check(secrets["auth"])
    return True


def _check(settings: object) -> None:
    settings = settings if isinstance(settings, dict) else {}
    missing = [key for key in LOGIN_KEYS if not settings.get(key)]
    if missing:
        raise LoginMisconfigured(f"The section [auth] of the secrets lacks {', '.join(missing)}.")
    if len(settings["cookie_secret"]) < SHORTEST_SECRET:
        raise LoginMisconfigured(
            "The cookie_secret in the section [auth] of the secrets is too short; make one with "
            "`python -c 'import secrets; print(secrets.token_hex(32))'`."
        )
    if not settings["redirect_uri"].endswith("/oauth2callback"):
        raise LoginMisconfigured(
            "The redirect_uri in the section [auth] of the secrets must end with /oauth2callback."
        )
    if importlib.util.find_spec("authlib") is None:
        raise LoginMisconfigured("A login is configured but Authlib is not installed; `pip install Authlib`.")


def words_at_start() -> str:
    """One line for the terminal: who can use the app as it is configured."""
    if login_required():
        provider = urlsplit(st.secrets["auth"]["server_metadata_url"]).hostname
        return f"Access: only after a login at {provider}."
    address = st.get_option("server.address")
    if _is_this_machine(address):
        return f"Access: open to this machine only ({address}), without login."
    return (
        f"Access: WARNING, anyone who can reach {address or 'this machine'} can use the app: no login is configured. "
        "See SECURITY.md."
    )


def _is_this_machine(address: str | None) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:  # a name, or nothing, which Streamlit takes for every address
        return False


def need_login() -> None:
    """Where a login is required and has not happened yet, show the login page instead of all that follows."""
    if not login_required() or st.user.get("is_logged_in") is True:
        return
    st.header("Log in to read scans")
    st.button("Log in", icon=":material/login:", on_click=st.login)
    st.stop()


def log_out_button() -> None:
    """Who is logged in, and the way out; nothing where no login is required."""
    if not login_required():
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.text(str(st.user.get("name") or st.user.get("email") or st.user.get("sub") or ""))
        st.button("Log out", icon=":material/logout:", on_click=st.logout)


class LoginWall:
    """Middleware: without the cookie of a login, no upload, no download and nothing else of Streamlit's own.

    Streamlit's `st.login` guards the pages alone. Whoever knew the address of a file in `/media` would get it, and
    anybody with a browser could fill the memory through the upload. The websocket stays open, because the login page
    itself comes through it; what runs behind it asks `need_login`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_guarded(scope["path"]) and not _has_login(HTTPConnection(scope)):
            await PlainTextResponse("Log in first.", status_code=403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _is_guarded(path: str) -> bool:
    base = st.get_option("server.baseUrlPath").strip("/")
    path = path.removeprefix(f"/{base}") if base else path
    return path.startswith(("/media/", "/_stcore/")) and path not in OPEN_ADDRESSES


def _has_login(request: HTTPConnection) -> bool:
    """Whether a request carries the cookie that Streamlit signs after a login, the one that st.user is read from."""
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
    from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

    cookie = request.cookies.get(USER_COOKIE_NAME, "").encode("latin-1", "replace")
    return decode_signed_value(get_cookie_secret(), USER_COOKIE_NAME, cookie) is not None
