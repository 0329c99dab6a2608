"""Who may use the app: what it says at the start, what it refuses to start with, and the login in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from playwright.sync_api import expect
from streamlit import config

from tests.support.sessions import Session
from utils.app import access

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Serving = Callable[..., AbstractContextManager[str]]

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds; a busy machine loads TensorFlow slowly
PAGES = ("", "read", "compare", "heatmaps", "evaluation", "about")
SECRETS = """
[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "0123456789abcdef0123456789abcdef"
client_id = "brain-mri"
client_secret = "only for this test"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""
WORKING = SECRETS.format(address="http://127.0.0.1:8501", provider="http://localhost:9000")


@pytest.fixture
def configure(tmp_path: Path) -> Iterator[Callable[[str | None, str | None], None]]:
    """A function (secrets, address) that configures Streamlit in this process, until the test ends."""
    before = {name: config.get_option(name) for name in ("secrets.files", "server.address")}

    def set_up(secrets: str | None, address: str | None = "127.0.0.1") -> None:
        file = tmp_path / "secrets.toml"
        if secrets is not None:
            file.write_text(secrets)
        config.set_option("secrets.files", [str(file)])
        config.set_option("server.address", address)
        forget()

    def forget() -> None:
        st.secrets._reset()
        access.login_required.cache_clear()

    yield set_up
    for name, value in before.items():
        config.set_option(name, value)
    forget()


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.53"])
def test_without_login_this_machine_alone_is_said(configure, address: str) -> None:
    configure(None, address)
    assert not access.login_required()
    assert "this machine only" in access.access_line() and address in access.access_line()


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.1.7", "ward.example", "", None])
def test_any_other_address_without_login_is_warned_of(configure, address: str | None) -> None:
    configure(None, address)
    words = access.access_line()
    assert "WARNING" in words and "anyone" in words and "this machine only" not in words


def test_with_login_the_provider_is_named(configure) -> None:
    configure(WORKING, "0.0.0.0")
    assert access.login_required()
    assert access.access_line() == "Access: only after a login at localhost."


def test_other_secrets_switch_no_login_on(configure) -> None:
    configure('[database]\npassword = "none"\n')
    assert not access.login_required()


def test_login_once_required_stays_so_when_its_file_vanishes(configure, tmp_path: Path) -> None:
    configure(WORKING)
    assert access.login_required()
    (tmp_path / "secrets.toml").unlink()
    st.secrets._reset()
    assert access.login_required()


@pytest.mark.parametrize(
    ("secrets", "words"),
    [
        ("[auth", "cannot be read"),
        ("[auth]\n", "lacks redirect_uri, cookie_secret, client_id, client_secret, server_metadata_url"),
        (re.sub("client_id.*\n", "", WORKING), "lacks client_id"),
        (re.sub('cookie_secret = ".*"', 'cookie_secret = "xxx"', WORKING), "cookie_secret"),
        (WORKING.replace("/oauth2callback", "/"), "/oauth2callback"),
        ("auth = true\n", "lacks redirect_uri"),
    ],
)
def test_login_that_cannot_work_is_refused_rather_than_left_out(configure, secrets: str, words: str) -> None:
    configure(secrets)
    with pytest.raises(access.LoginMisconfigured, match=words):
        access.login_required()


def test_app_does_not_start_with_a_login_that_cannot_work(tmp_path: Path, free_port) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("[auth]\n")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.port", str(free_port()), "--secrets.files", str(secrets)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode != 0
    assert "The app does not start. The section [auth] of the secrets lacks" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_start_without_login_is_told_once_in_the_terminal(serving: Serving, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serving(log=log, options=["--secrets.files", str(tmp_path / "none.toml")]) as address:
        for _ in range(2):
            with Session(address, "about"):
                pass
        with urllib.request.urlopen(f"{address}/_stcore/host-config", timeout=PATIENCE) as answer:
            assert (
                b'"allowedOrigins":[]' in answer.read()
            )  # no web page elsewhere may steer the app in a frame
    assert log.read_text().count("Access: open to this machine only (127.0.0.1), without login.") == 1


@pytest.fixture(scope="module")
def guarded(
    serving: Serving,
    free_port: Callable[[], int],
    tiny_models: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The app with a login at a provider that this process runs and that lets everybody in under any name."""
    provider_mock = pytest.importorskip("oidc_provider_mock", reason="oidc-provider-mock is not installed")
    folder = tmp_path_factory.mktemp("guarded")
    port = free_port()
    insecure = pytest.MonkeyPatch()
    insecure.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # the provider on loopback speaks plain HTTP
    try:
        with provider_mock.run_server_in_thread() as provider:
            secrets = folder / "secrets.toml"
            home = f"http://localhost:{provider.server_port}"
            secrets.write_text(SECRETS.format(address=f"http://127.0.0.1:{port}", provider=home))
            options = ["--secrets.files", str(secrets)]
            with serving(tiny_models, options=options, port=port, log=folder / "log") as address:
                yield address
    finally:
        insecure.undo()


def status(address: str, method: str = "GET") -> int:
    """What somebody without any cookie is answered."""
    try:
        request = urllib.request.Request(address, method=method, data=b"x" if method == "PUT" else None)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("page", PAGES)
def test_without_login_every_page_shows_the_login_alone(guarded: str, page: str) -> None:
    with Session(guarded, page) as session:
        assert session.words() == "Log in to analyse scans"
        assert [element.button.label for element in session.elements("button")] == ["Log in"]
        for kind in ("file_uploader", "imgs", "dataframe", "plotly_chart", "exception"):
            assert not list(session.elements(kind))


def test_without_login_nothing_is_uploaded_or_fetched(guarded: str) -> None:
    with Session(guarded) as session:
        place = session.upload_places(["scan.png"])[0].upload_url
    assert status(guarded + place, "PUT") == 403
    assert status(guarded + place, "DELETE") == 403
    assert status(f"{guarded}/media/0123456789abcdef.png") == 403
    assert status(f"{guarded}/_stcore/metrics") == 403
    assert status(f"{guarded}/_stcore/agent/interact", "PUT") == 403
    assert status(f"{guarded}/_stcore/health") == 200
    forged = urllib.request.Request(
        f"{guarded}/media/x.png", headers={"Cookie": "_streamlit_user=Im1lIg.x.y"}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(forged, timeout=PATIENCE)


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    """A tab with cookies of its own that reaches nothing but this machine (the provider's page has a remote style)."""
    context = browser.new_context()
    context.route(
        lambda url: "//127.0.0.1:" not in url and "//localhost:" not in url, lambda route: route.abort()
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    context.close()


@pytest.mark.browser
def test_login_opens_the_app_and_logout_closes_it(visitor: Page, guarded: str) -> None:
    visitor.goto(f"{guarded}/heatmaps")
    visitor.get_by_text("Log in to analyse scans").wait_for()
    assert visitor.get_by_role("link", name="Compare").count() == 0
    expect(visitor.get_by_text("not found")).to_have_count(0)
    log_in(visitor, "ada")
    visitor.get_by_text("Upload brain MRI for analysis").wait_for()
    assert visitor.url.startswith(guarded)
    expect(
        visitor.get_by_text("ada", exact=True)
    ).to_be_visible()  # more than one would be an error of the driver
    visitor.goto(f"{guarded}/about")  # a session of its own, by the same cookie
    visitor.get_by_role("link", name="Compare").first.wait_for()
    visitor.get_by_role("button", name="Log out").click()
    visitor.wait_for_url("**/oauth2/end_session**")
    visitor.locator("form button").first.click()
    visitor.get_by_text("Log in to analyse scans").wait_for()
    visitor.goto(f"{guarded}/compare")
    visitor.get_by_text("Log in to analyse scans").wait_for()
    assert visitor.get_by_role("link", name="Compare").count() == 0


@pytest.mark.browser
def test_pictures_have_no_address_and_downloads_need_the_login(visitor: Page, guarded: str) -> None:
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url))
    visitor.goto(guarded)
    log_in(visitor, "ada")
    visitor.get_by_role("button", name="Try the synthetic example").click()
    visitor.locator('canvas[aria-label*="Grad-CAM saliency map of CNN"]').first.wait_for()
    visitor.locator("img").first.wait_for()  # the scale below the panes
    sources = visitor.locator("img").evaluate_all("all => all.map(image => image.src)")
    assert sources and all(source.startswith("data:image/") for source in sources)
    assert not [address for address in asked if address.startswith(f"{guarded}/media/")]
    visitor.get_by_role("link", name="Heatmaps").click()
    with visitor.expect_download() as download:
        visitor.get_by_role("button", name="Download NPY").click()
    link = download.value.url
    assert "/media/" in link
    assert visitor.request.get(link).status == 200  # with the cookie of the login
    assert status(link) == 403  # without it


def log_in(page: Page, name: str) -> None:
    page.get_by_role("button", name="Log in").click()
    page.locator('input[name="sub"]').fill(name)
    page.get_by_role("button", name="Authorize", exact=True).click()


def test_another_secret_signs_no_login(monkeypatch: pytest.MonkeyPatch, configure) -> None:
    from starlette.requests import HTTPConnection
    from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

    configure(WORKING)

    def has_login(secret: str, name: str = "_streamlit_user") -> bool:
        cookie = create_signed_value(secret, name, '{"is_logged_in": true}').decode()
        headers = [(b"cookie", f"_streamlit_user={cookie}".encode())]
        return access._has_login(HTTPConnection({"type": "http", "headers": headers}))

    assert has_login("0123456789abcdef0123456789abcdef")
    assert not has_login("another secret of thirty-two signs")
    assert not has_login("0123456789abcdef0123456789abcdef", "_streamlit_user_tokens")
    assert not access._has_login(HTTPConnection({"type": "http", "headers": []}))


@pytest.mark.parametrize(
    ("path", "guarded_one"),
    [
        ("/media/abc.png", True),
        ("/_stcore/upload_file/session/file", True),
        ("/_stcore/metrics", True),
        ("/_stcore/health", False),
        ("/_stcore/host-config", False),
        ("/static/media/font.woff2", False),
        ("/heatmaps", False),
    ],
)
@pytest.mark.parametrize("base", ["", "brain/mri"])
def test_what_stands_behind_the_wall(path: str, guarded_one: bool, base: str) -> None:
    before = config.get_option("server.baseUrlPath")
    config.set_option("server.baseUrlPath", base)
    try:
        assert access._is_guarded(f"/{base}{path}" if base else path) is guarded_one
    finally:
        config.set_option("server.baseUrlPath", before)
