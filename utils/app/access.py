"""Access to the app: open on this machine, or after a login where one is configured."""

from __future__ import annotations

import functools
import importlib.util
import ipaddress
import sys
import threading
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

from utils.app import privacy, streamlit_internals

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

LOGIN_KEYS = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
SHORTEST_SECRET = 32  # characters: with the cookie secret a login can be forged
OPEN_ADDRESSES = ("/_stcore/health", "/_stcore/host-config")  # the login page needs them


class LoginMisconfigured(ValueError):
    """The configured login cannot work. The text is one sentence for the administrator."""


def prepare() -> list[Middleware]:
    """Prepare the process before it serves; returns the middleware for Streamlit's server.

    Ends the process with one sentence where the configured login cannot work.
    """
    privacy.keep_everything_in_memory()
    streamlit_internals.serve_pages_through_app_only()
    streamlit_internals.lose_no_action()
    try:
        return [Middleware(LoginWall)] if login_required() else []
    except LoginMisconfigured as error:
        sys.exit(f"The app does not start. {error}")


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Print who has access and, on a desktop, open the browser, as `streamlit run` does."""
    print(access_line(), flush=True)
    if not st.get_option("server.headless"):
        streamlit_internals.open_browser_at(st.get_option("server.address") or "localhost")
    threading.Thread(target=_load_networks, daemon=True).start()
    yield


def _load_networks() -> None:
    from utils.app import resources  # the server has started: its caches belong to it

    resources.warm_up()


@functools.cache
def login_required() -> bool:
    """Whether the secrets have a section `[auth]`. Cached, so that deleting the file later does not remove the login.

    Raises LoginMisconfigured where the section cannot be used: Streamlit itself would start without login.
    """
    files = [Path(name) for name in st.get_option("secrets.files")]
    if not any(file.exists() for file in files):
        return False
    try:
        secrets = st.secrets.to_dict()
    except StreamlitSecretNotFoundError as error:
        raise LoginMisconfigured(f"The secrets cannot be read; correct or remove them: {error}") from error
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


def access_line() -> str:
    """One line for the terminal: who has access with this configuration."""
    if login_required():
        provider = urlsplit(st.secrets["auth"]["server_metadata_url"]).hostname
        return f"Access: only after a login at {provider}."
    address = st.get_option("server.address")
    if not is_open_to_network():
        return f"Access: open to this machine only ({address}), without login."
    return (
        f"Access: WARNING, anyone who can reach {address or 'this machine'} can use the app: no login is configured. "
        "See SECURITY.md."
    )


def is_open_to_network() -> bool:
    """Whether other machines can use the app without a login."""
    return not login_required() and not _is_this_machine(st.get_option("server.address"))


def _is_this_machine(address: str | None) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:  # a name, or nothing, which Streamlit takes for every address
        return False


def need_login() -> None:
    """Where a login is required and missing, show the login page and stop."""
    if not login_required() or st.user.get("is_logged_in") is True:
        return
    st.header("Log in to analyse scans")
    st.button("Log in", icon=":material/login:", on_click=st.login)
    st.stop()


def user_name() -> str:
    """What tells users apart where a login is required; else empty."""
    return str(st.user.get("sub") or st.user.get("email") or "") if login_required() else ""


def log_out_button() -> None:
    """The name of the user and a button to log out; nothing where no login is required."""
    if not login_required():
        return
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.text(str(st.user.get("name") or st.user.get("email") or st.user.get("sub") or ""))
        st.button("Log out", icon=":material/logout:", on_click=st.logout)


class LoginWall:
    """Middleware that refuses uploads, downloads and Streamlit's own addresses without a login cookie.

    Streamlit's `st.login` guards the pages alone: anybody could fetch a file of `/media` by its address, or fill the
    memory with uploads. The websocket stays open because the login page comes through it; the pages behind it call
    `need_login`.
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
    """Whether a request carries the cookie that Streamlit signs after a login."""
    cookie = request.cookies.get(streamlit_internals.login_cookie_name(), "")
    return streamlit_internals.is_signed_login(cookie.encode("latin-1", "replace"))
