"""Debian's Orthanc in a process of its own: a PACS with DICOM and DICOMweb, on loopback, with a temporary database."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.processes import PATIENCE, free_port

AET = "ORTHANC"
PLUGIN = "libOrthancDicomWeb.so"
PLUGIN_FOLDERS = (Path("/usr/share/orthanc/plugins"), Path("/usr/lib/orthanc"))


def missing() -> str:
    """Why there is no Orthanc on this machine; "" where there is one."""
    if shutil.which("Orthanc") is None:
        return "Orthanc is not installed (Debian: apt-get install orthanc)"
    if _plugins() is None:
        return "Orthanc has no DICOMweb (Debian: apt-get install orthanc-dicomweb)"
    return ""


class Orthanc:
    """The server; it keeps its database and its ports when it is killed and started again."""

    def __init__(
        self, folder: Path, modalities: dict[str, tuple[str, int]] | None = None, password: str = ""
    ) -> None:
        """modalities: name -> AE title and port of other DICOM programs; password: of the user "reader"."""
        self.port, self.http = free_port(), free_port()
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "Name": "test",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "Plugins": [str(_plugins())],
            "HttpPort": self.http,
            "DicomPort": self.port,
            "DicomAet": AET,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": bool(password),
            "RegisteredUsers": {"reader": password} if password else {},
            "DicomModalities": {
                name: [aet, "127.0.0.1", port] for name, (aet, port) in (modalities or {}).items()
            },
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "StableAge": 1,
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))

    @property
    def dicomweb(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def start(self) -> None:
        with (self._folder / "orthanc.log").open("ab") as log:
            self.process = subprocess.Popen(
                ["Orthanc", str(self._folder / "orthanc.json")], stdout=log, stderr=log
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, (self._folder / "orthanc.log").read_text()
            try:
                self.get("/system")
                return
            except urllib.error.HTTPError:
                return  # it asks for a password
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("Orthanc did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str) -> Any:
        """A JSON answer of its REST API."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=60) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: bytes) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", body)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def put(self, files: Sequence[bytes]) -> str:
        """Store DICOM files of one study; its identifier in Orthanc."""
        return [self.post("/instances", data)["ParentStudy"] for data in files][-1]

    def instances(self, study: str, modality: str) -> list[bytes]:
        """The files of a study that are of a modality."""
        series = [each for each in self.get(f"/studies/{study}/series")]
        return [
            self.file(instance)
            for each in series
            if each["MainDicomTags"].get("Modality") == modality
            for instance in each["Instances"]
        ]

    def file(self, instance: str) -> bytes:
        address = f"http://127.0.0.1:{self.http}/instances/{instance}/file"
        with urllib.request.urlopen(address, timeout=60) as answer:
            return answer.read()

    def wait_for(self, study: str, modality: str, count: int = 1) -> list[bytes]:
        """Wait until a study has so many objects of a modality."""
        end = time.monotonic() + PATIENCE
        while len(files := self.instances(study, modality)) < count:
            assert time.monotonic() < end, f"no {modality} came"
            time.sleep(0.2)
        return files


def _plugins() -> Path | None:
    return next((folder / PLUGIN for folder in PLUGIN_FOLDERS if (folder / PLUGIN).exists()), None)
