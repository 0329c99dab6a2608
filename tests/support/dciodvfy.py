"""dciodvfy of Debian's dicom3tools: the errors in a DICOM file."""

from __future__ import annotations

import shutil
import subprocess
import tempfile

import pytest


def errors_in(data: bytes) -> list[str]:
    """The errors that dciodvfy finds in a file; where it is not installed, the test is skipped."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is missing: apt-get install dicom3tools")
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        run = subprocess.run(["dciodvfy", file.name], capture_output=True, text=True)
    return [line for line in run.stderr.splitlines() if line.startswith("Error")]
