"""Uploads stay in the memory of this process: no temporary file, no log line, no core dump."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings

from starlette.formparsers import MultiPartParser


def keep_everything_in_memory() -> None:
    """Called once, when the server starts and before it serves."""
    keep_uploads_in_memory()
    keep_contents_out_of_the_log()
    forbid_core_dumps()


def keep_uploads_in_memory() -> None:
    """Let Starlette, which parses the uploads for Streamlit, never spool one to a temporary file.

    By default it does from 1 MiB on. 0 means "never" to SpooledTemporaryFile. Memory is still bounded: Streamlit ends
    an upload as soon as more than `server.maxUploadSize` of it has arrived.
    """
    MultiPartParser.spool_max_size = 0


def keep_contents_out_of_the_log() -> None:
    """Log the place and the kind of an exception or a warning, not its text.

    The text may quote an upload: a file name, a patient's name in a DICOM header.
    """
    make_record = logging.getLogRecordFactory()

    def textless_record(*arguments: object, **named: object) -> logging.LogRecord:
        record = make_record(*arguments, **named)
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            record.exc_text = "".join(traceback.format_tb(trace)) + kind.__name__
            record.exc_info = None
        return record

    def textless_warning(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
    ) -> None:
        print(f"{filename}:{lineno}: {category.__name__}", file=sys.stderr)

    def textless_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            trace = (failed.exc_type, failed.exc_value, failed.exc_traceback)
            logging.getLogger(__name__).error("A thread failed", exc_info=trace)

    logging.setLogRecordFactory(textless_record)
    warnings.showwarning = textless_warning  # type: ignore[assignment]
    threading.excepthook = textless_thread


def forbid_core_dumps() -> None:
    """A native decoder that crashes on a hostile file must not leave this memory in a file; where the system can."""
    try:
        import resource
    except ImportError:  # Windows keeps no core dumps of this kind
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
