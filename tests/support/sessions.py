"""A client of the app without a browser: Streamlit's messages over its websocket, uploads over HTTP.

The messages are Streamlit's (`streamlit.proto`), the order is what its frontend does in the versions that
requirements.txt allows. Only what a session shows is kept: its elements after the last run.
"""

from __future__ import annotations

import base64
import json
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType

import cv2
import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs, UploadedFileInfo
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

LONGEST = 600  # seconds that an answer may take


class SessionFailed(Exception):
    """The app showed an error, or did not answer."""


class Session:
    """One visitor. Every action returns when the app's script has finished.

    Raises SessionFailed when the app fails, OSError or websockets' ConnectionClosed when the server is gone.
    """

    def __init__(self, address: str, page: str = "") -> None:
        """`address` is like http://127.0.0.1:8501, `page` the name of a page in the address."""
        self._address = address
        self._token = _xsrf_token(address)
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(
                address.replace("http", "ws", 1) + "/_stcore/stream",
                origin=Origin(address),
                subprotocols=[Subprotocol("streamlit"), Subprotocol(self._token)],
                additional_headers={"Cookie": f"_streamlit_xsrf={self._token}"},
                max_size=None,
                open_timeout=LONGEST,
            )
        )
        self._id = ""
        self._pages: dict[str, str] = {}
        self._page = page
        self._widgets: dict[str, WidgetState] = {}
        self._elements: dict[tuple[int, ...], Element] = {}
        try:
            self._run()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def elements(self, kind: str) -> Iterator[Element]:
        """The elements of one kind (`markdown`, `slider`, ...) on the page now, from top to bottom."""
        for path in sorted(self._elements):
            if self._elements[path].WhichOneof("type") == kind:
                yield self._elements[path]

    def words(self) -> str:
        """All text of the page, one line per element; markdown as it is."""
        kinds = {"markdown": "body", "alert": "body", "heading": "body", "text": "body"}
        texts = [
            getattr(getattr(element, kind), field)
            for kind, field in kinds.items()
            for element in self.elements(kind)
        ]
        panes = [pane for viewer in self._viewers() for pane in viewer["panes"]]
        return "\n".join(texts + [f"{pane['title']}\n{pane['caption']}" for pane in panes])

    def picture(self, alt: str) -> np.ndarray:
        """(H, W, 3) uint8 RGB: the image with this alt text; for a pane of the viewer, its evidence layer."""
        for element in self.elements("imgs"):
            for shown in element.imgs.imgs:
                if shown.alt == alt:
                    return self._decode(shown.url)
        for viewer in self._viewers():
            for pane in viewer["panes"]:
                if pane["alt"] == alt:
                    return self._decode(pane["evidence"] or viewer["scan"])
        raise SessionFailed(f"The page shows no image {alt!r}.")

    def alts(self) -> list[str]:
        """The alt texts of all images on the page."""
        images = [shown.alt for element in self.elements("imgs") for shown in element.imgs.imgs]
        return images + [pane["alt"] for viewer in self._viewers() for pane in viewer["panes"]]

    def upload(self, files: Mapping[str, bytes]) -> None:
        """Upload files (by name) in the upload area of the page."""
        zone = next(self.elements("file_uploader"), None)
        if zone is None:
            raise SessionFailed("The page shows no upload area.")
        state = WidgetState(id=zone.file_uploader.id)
        for place, (name, data) in zip(self.upload_places(list(files)), files.items(), strict=True):
            self._put(place.upload_url, name, data)
            information = UploadedFileInfo(name=name, size=len(data), file_id=place.file_id, file_urls=place)
            state.file_uploader_state_value.uploaded_file_info.append(information)
        self._widgets[state.id] = state
        self._run()

    def press(self, label: str) -> None:
        """Press the first button of this name."""
        button = next(
            (element.button for element in self.elements("button") if element.button.label == label), None
        )
        if button is None:
            raise SessionFailed(f"The page shows no button {label!r}.")
        self._run(WidgetState(id=button.id, trigger_value=True))

    def go(self, page: str) -> None:
        """Open a page by its name in the address ("" is the first page)."""
        self._page = page
        self._run()

    def _run(self, pressed: WidgetState | None = None) -> None:
        """Run the script and listen until it has finished."""
        message = BackMsg()
        if self._page in self._pages:
            message.rerun_script.page_script_hash = self._pages[self._page]
        else:
            message.rerun_script.page_name = self._page
        states = message.rerun_script.widget_states.widgets
        states.extend(self._widgets.values())
        if pressed is not None:
            states.append(pressed)
        self._socket.send(message.SerializeToString())
        while True:
            answer = self._receive()
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self._id = answer.new_session.initialize.session_id
                self._elements.clear()
            elif kind == "navigation":
                pages = answer.navigation.app_pages
                self._pages = {
                    "" if page.is_default else page.url_pathname: page.page_script_hash for page in pages
                }
            elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                self._elements[tuple(answer.metadata.delta_path)] = answer.delta.new_element
            elif kind == "script_finished":
                if answer.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    break
                if answer.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                    raise SessionFailed("The app's script does not compile.")
        for element in self.elements("exception"):
            raise SessionFailed(
                f"The page shows an error: {element.exception.type} {element.exception.message}"
            )

    def _receive(self, timeout: float = LONGEST) -> ForwardMsg:
        try:
            data = self._socket.recv(timeout)
        except TimeoutError as error:
            raise SessionFailed(f"No answer within {timeout:.0f} seconds.") from error
        if isinstance(data, str):
            raise SessionFailed("The server sent text where it should send messages.")
        return ForwardMsg.FromString(data)

    def upload_places(self, names: list[str]) -> list[FileURLs]:
        """Addresses for an upload of these files, as the upload area requests them."""
        request = BackMsg()
        request.file_urls_request.request_id = str(uuid.uuid4())
        request.file_urls_request.file_names.extend(names)
        request.file_urls_request.session_id = self._id
        self._socket.send(request.SerializeToString())
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            answer = self._receive()
            if answer.WhichOneof("type") == "file_urls_response":
                return list(answer.file_urls_response.file_urls)
        raise SessionFailed("The server named no address for the upload.")

    def _put(self, place: str, name: str, data: bytes) -> None:
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        request = urllib.request.Request(
            self._address + place,
            data=head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Cookie": f"_streamlit_xsrf={self._token}",
                "X-Xsrftoken": self._token,
            },
            method="PUT",
        )
        urllib.request.urlopen(request, timeout=LONGEST).close()

    def _viewers(self) -> Iterator[dict]:
        for element in self.elements("bidi_component"):
            if element.bidi_component.component_name == "scan_viewer":
                yield json.loads(element.bidi_component.json)

    def _decode(self, url: str) -> np.ndarray:
        kind, _, data = url.partition("base64,")
        if not kind.startswith("data:image/png"):
            raise SessionFailed(f"An image is not inside the page but at {url[:80]!r}.")
        pixels = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise SessionFailed("An image of the page cannot be decoded.")
        return np.asarray(pixels[..., ::-1])


def _xsrf_token(address: str) -> str:
    """The token that uploads must repeat. The health check sets it as a cookie."""
    with urllib.request.urlopen(f"{address}/_stcore/health", timeout=LONGEST) as answer:
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            if name == "_streamlit_xsrf":
                return value.strip('"')
    raise SessionFailed("The server gave no token for uploads.")
