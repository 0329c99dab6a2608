"""What is uploaded stays in this process's memory: no temporary file, no line in the log, no core dump."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
import warnings

from starlette.formparsers import MultiPartParser


def keep_everything_in_memory() -> None:
    """Called once, when the server starts and before it answers anybody."""
    keep_uploads_in_memory()
    keep_contents_out_of_the_log()
    forbid_core_dumps()


def keep_uploads_in_memory() -> None:
    """Let Starlette, which parses the uploads for Streamlit, never spool one to a temporary file.

    By default it does from 1 MiB on. 0 is SpooledTemporaryFile's word for "never". The memory is bounded all the
    same: Streamlit ends an upload as soon as more than `server.maxUploadSize` of it has arrived.
    """
    MultiPartParser.spool_max_size = 0


def keep_contents_out_of_the_log() -> None:
    """Log of an exception or a warning where it happened and its kind, not its words.

    The words may quote what was uploaded: a file's name, a patient's name out of a DICOM header.
    """
    make_record = logging.getLogRecordFactory()

    def wordless_record(*arguments: object, **named: object) -> logging.LogRecord:
        record = make_record(*arguments, **named)
        if record.exc_info and record.exc_info[0] is not None:
            kind, _, trace = record.exc_info
            record.exc_text = "".join(traceback.format_tb(trace)) + kind.__name__
            record.exc_info = None
        return record

    def wordless_warning(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object
    ) -> None:
        print(f"{filename}:{lineno}: {category.__name__}", file=sys.stderr)

    def wordless_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            trace = (failed.exc_type, failed.exc_value, failed.exc_traceback)
            logging.getLogger(__name__).error("A thread failed", exc_info=trace)

    logging.setLogRecordFactory(wordless_record)
    warnings.showwarning = wordless_warning  # type: ignore[assignment]
    threading.excepthook = wordless_thread


def forbid_core_dumps() -> None:
    """A native decoder that crashes on a hostile file must not leave this memory in a file; where the system can."""
    try:
        import resource
    except ImportError:  # Windows keeps no core dumps of this kind
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
