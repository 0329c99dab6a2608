"""Nothing uploaded reaches the disk or the log, shown on the real server with Streamlit's own upload."""

from __future__ import annotations

import io
import logging
import re
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.sessions import Session, SessionFailed
from utils.app import privacy

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = "Doe^Jane19700101"  # stands in a file's name and in its bytes
WATCHED_STREAMLIT = """
import os, sys, tempfile
seen = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def note(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(seen, f"{arguments[0]}\\n".encode())
sys.addaudithook(note)
tempfile.TemporaryFile().close()  # one that must be seen: else that none was seen would mean nothing
from streamlit.web.cli import main
main()
"""
FAILING_APP = """
import streamlit as st
from utils.app import privacy
if __name__ == "__main__":
    st.write("before it fails")
    raise ValueError("{backwards}"[::-1])  # so that the line of code itself does not hold it
else:
    privacy.keep_everything_in_memory()
    app = st.App(__file__)
"""


@dataclass(frozen=True)
class Watched:
    """A server whose every file opened for writing is listed."""

    address: str
    opened: Path
    log: Path
    temporary: Path

    def files_opened(self) -> list[str]:
        return self.opened.read_text().splitlines()


@pytest.fixture(scope="module")
def watched(
    serving: Callable[..., AbstractContextManager[str]],
    tiny_models: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    program, opened, log, temporary = (folder / name for name in ("run.py", "opened", "log", "temporary"))
    program.write_text(WATCHED_STREAMLIT)
    temporary.mkdir()
    environment = {"TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(REPOSITORY)}
    with serving(
        tiny_models, environment=environment, log=log, program=(str(program), str(opened))
    ) as address:
        yield Watched(address, opened, log, temporary)


def noise(side: int, seed: int) -> bytes:
    """A PNG file that hardly compresses: about side * side bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_uploads_reach_neither_disk_nor_log(watched: Watched, png_bytes: Callable[[int], bytes]) -> None:
    with Session(watched.address) as session:
        # The first scan loads the networks, the first file of another kind starts the decoder: what they open is open.
        session.upload({"small.png": png_bytes(0), "broken.tif": b"II*\0" + bytes(100)})
        before = watched.files_opened()
        assert [line for line in before if line == str(watched.temporary)]  # the one that must be seen
        large = noise(2200, 1)
        assert (
            len(large) > 4 * 2**20
        )  # far above the 1 MiB from which on Starlette would write a temporary file
        broken = SECRET.encode() + noise(1500, 2)
        session.upload({f"{SECRET}.png": large, f"{SECRET} broken.png": broken})
        assert session.picture(f"The scan {SECRET}.png").shape[1] == 1460  # it was read and is shown
        assert "Rejected, not analysed" in session.words()
        session.press("Unsure")
        session.go("heatmaps")
        session.go("compare")
    assert watched.files_opened() == before
    assert not list(watched.temporary.iterdir())
    assert SECRET not in watched.log.read_text() and "small.png" not in watched.log.read_text()


def test_starlette_would_write_a_temporary_file_and_is_kept_from_it() -> None:
    from starlette.formparsers import MultiPartParser

    def rolled(most: int) -> bool:
        with tempfile.SpooledTemporaryFile(max_size=most) as file:
            file.write(bytes(2 * 2**20))
            return bool(file._rolled)  # type: ignore[attr-defined]

    default = MultiPartParser.spool_max_size
    try:
        assert rolled(default)
        privacy.keep_uploads_in_memory()
        assert not rolled(MultiPartParser.spool_max_size)
    finally:
        MultiPartParser.spool_max_size = default


def test_words_of_an_exception_reach_neither_browser_nor_log(
    serving: Callable[..., AbstractContextManager[str]], tmp_path: Path
) -> None:
    script, log = tmp_path / "failing.py", tmp_path / "log"
    script.write_text(FAILING_APP.format(backwards=SECRET[::-1]))
    environment = {"PYTHONPATH": str(REPOSITORY)}
    with (
        serving(script=script, log=log, environment=environment) as address,
        pytest.raises(SessionFailed) as shown,
    ):
        Session(address)
    logged = log.read_text()
    assert SECRET not in str(shown.value)
    assert "ValueError" in logged and "failing.py" in logged  # what failed and where is still logged
    assert SECRET not in logged


@pytest.fixture
def wordless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    factory = logging.getLogRecordFactory()
    privacy.keep_contents_out_of_the_log()
    yield
    logging.setLogRecordFactory(factory)


def test_log_says_what_failed_and_where_but_not_its_words(wordless: None) -> None:
    stream = io.StringIO()
    logger = logging.getLogger("a library")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        int(SECRET)
    except ValueError:
        logger.exception("It failed")
    finally:
        logger.removeHandler(handler)
    assert "It failed" in stream.getvalue() and "ValueError" in stream.getvalue()
    assert "test_privacy.py" in stream.getvalue() and SECRET not in stream.getvalue()


def test_warnings_and_failed_threads_lose_their_words(wordless: None, capfd: pytest.CaptureFixture) -> None:
    warnings.showwarning(UserWarning(SECRET), UserWarning, "reader.py", 7)
    failed = (ValueError, ValueError(SECRET), None, None)
    threading.excepthook(threading.ExceptHookArgs(failed))
    printed = capfd.readouterr()
    assert "reader.py:7: UserWarning" in printed.err
    assert SECRET not in printed.out + printed.err


def test_nothing_is_pickled() -> None:
    """Loading a pickle runs what stands in it."""
    forbidden = re.compile(
        r"\b(import|from)\s+(c?pickle|joblib|dill|shelve|marshal)\b|allow_pickle\s*=\s*True|\btorch\.load\b"
        r"|read_pickle|unsafe_deserialization|safe_mode\s*=\s*False",
        re.IGNORECASE,
    )
    sources = [REPOSITORY / "app.py", REPOSITORY / "model.py"]
    sources += [
        file for room in ("utils", "pages", "benchmarks") for file in (REPOSITORY / room).rglob("*.py")
    ]
    assert len(sources) > 20
    by_file = {str(file): forbidden.findall(file.read_text(encoding="utf-8")) for file in sources}
    assert {file: lines for file, lines in by_file.items() if lines} == {}
    for file in (REPOSITORY / "models").rglob("*.npz"):
        with np.load(file, allow_pickle=False) as archive:
            assert all(archive[name].dtype != object for name in archive.files)
