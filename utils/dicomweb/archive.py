"""An archive by DICOMweb: search (QIDO-RS), retrieve (WADO-RS) and store (STOW-RS). Nothing of it is logged."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from utils.dicomweb.errors import ArchiveError
from utils.scans.limits import LARGEST_UNPACKED, MEGABYTE, MOST_FILES

SECONDS = (10, 120)  # until an archive must accept a connection, and send the next bytes
MOST_STUDIES = 100  # of one search
UID = re.compile(r"[0-9]+(\.[0-9]+)*")
LONGEST_UID = 64
MODALITY = "MR"

for _name in ("dicomweb_client", "urllib3"):  # they write UIDs and addresses with them
    logging.getLogger(_name).addHandler(logging.NullHandler())
    logging.getLogger(_name).propagate = False


@dataclass(frozen=True)
class StudyQuery:
    """What studies must have; empty for anything. `date` is DICOM's: 20240131, or 20240101-20240131."""

    patient_id: str = ""
    accession_number: str = ""
    date: str = ""


@dataclass(frozen=True)
class StudyEntry:
    """A study that the archive lists."""

    uid: str
    patient_id: str
    accession_number: str
    date: str
    description: str


@dataclass(frozen=True)
class SeriesEntry:
    """A series of MR images; `images` is None where the archive does not count them."""

    uid: str
    number: str
    description: str
    images: int | None


class Archive:
    """The client of one archive."""

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        """url: of the DICOMweb root. Without a user, the credentials of ~/.netrc apply, if there are any.

        Raises ArchiveError for an address that cannot be one.
        """
        session = requests.Session()
        if user:
            session.auth = (user, password)
        try:
            self._client = DICOMwebClient(url.rstrip("/"), session=session, timeout=SECONDS)
        except ValueError:
            raise ArchiveError(
                "The address of the archive must be that of its DICOMweb root, like https://pacs.example/dicom-web."
            ) from None
        self._client.set_http_retry_params(retry=False)

    def studies(self, query: StudyQuery) -> list[StudyEntry]:
        """The studies with MR images, at most MOST_STUDIES, the newest first. Raises ArchiveError."""
        filters = {
            "PatientID": query.patient_id,
            "AccessionNumber": query.accession_number,
            "StudyDate": query.date,
            "ModalitiesInStudy": MODALITY,
        }
        with _errors():
            answers = self._client.search_for_studies(
                search_filters={name: value for name, value in filters.items() if value},
                fields=["StudyDescription"],
                limit=MOST_STUDIES,
            )
            words = ("StudyInstanceUID", "PatientID", "AccessionNumber", "StudyDate", "StudyDescription")
            entries = [StudyEntry(*(_text(answer, name) for name in words)) for answer in answers]
        return sorted(entries, key=lambda entry: entry.date, reverse=True)

    def series(self, study: str) -> list[SeriesEntry]:
        """The MR series of a study, in the order of their numbers. Raises ArchiveError."""
        _check_uid(study, "study")
        with _errors():
            answers = self._client.search_for_series(
                study,
                search_filters={"Modality": MODALITY},
                fields=["SeriesDescription", "NumberOfSeriesRelatedInstances"],
            )
            entries = []
            for answer in answers:
                if _text(answer, "Modality") != MODALITY:  # some archives ignore the filter
                    continue
                count = _text(answer, "NumberOfSeriesRelatedInstances")
                entries.append(
                    SeriesEntry(
                        _text(answer, "SeriesInstanceUID"),
                        _text(answer, "SeriesNumber"),
                        _text(answer, "SeriesDescription"),
                        int(count) if count.isdigit() else None,
                    )
                )
        return sorted(entries, key=lambda entry: (len(entry.number), entry.number))

    def files(self, study: str, series: str) -> list[bytes]:
        """The DICOM files of a series. Raises ArchiveError, also for a series over the limits."""
        _check_uid(study, "study")
        _check_uid(series, "series")
        files: list[bytes] = []
        with _errors():
            for ds in self._client.iter_series(study, series):
                buffer = io.BytesIO()
                ds.save_as(buffer, enforce_file_format=True)
                files.append(buffer.getvalue())
                if len(files) > MOST_FILES or sum(map(len, files)) > LARGEST_UNPACKED:
                    raise ArchiveError(
                        f"This series has more than {MOST_FILES} images or {LARGEST_UNPACKED // MEGABYTE} MB, "
                        "which are not read at once."
                    )
        if not files:
            raise ArchiveError("The archive sent no images of this series.")
        return files

    def store(self, results: Sequence[Dataset]) -> None:
        """Store objects in the archive. Raises ArchiveError where it did not take all of them."""
        with _errors():
            answer = self._client.store_instances(results)
        taken = len(answer.get("ReferencedSOPSequence") or [])
        if taken < len(results):
            raise ArchiveError(f"The archive confirmed {taken} of {len(results)} results.")


def _check_uid(uid: str, what: str) -> None:
    if len(uid) > LONGEST_UID or not UID.fullmatch(uid):
        raise ArchiveError(f"This is no UID of a {what}: digits and dots, at most {LONGEST_UID}.")


def _text(answer: Mapping[str, Any], keyword: str) -> str:
    """An attribute of a search result (DICOM JSON) as text; "" where it has none."""
    tag = tag_for_keyword(keyword)
    values = (answer.get(f"{tag:08X}") or {}).get("Value") or [""]
    return str(values[0])


@contextmanager
def _errors() -> Iterator[None]:
    """Every failure becomes an ArchiveError; the messages of the libraries quote addresses with identifiers."""
    try:
        yield
    except (ArchiveError, MemoryError):
        raise
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        raise ArchiveError(_refusal(status)) from None
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
        raise ArchiveError("The archive does not answer; check its address and that it runs.") from None
    except Exception:  # what it sent is no DICOM: the library and pydicom raise almost anything
        raise ArchiveError("The archive sent something that is not DICOM; check its address.") from None


def _refusal(status: int) -> str:
    if status in (401, 403):
        return "The archive refuses the user or password, or the user may not do this."
    if status == 404:
        return "The archive has no such study or series, or no DICOMweb at this address."
    if status in (409, 507):
        return "The archive did not take the results."
    return f"The archive refuses the request (HTTP status {status})."
