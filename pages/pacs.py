"""PACS: search an archive by DICOMweb and load a series into the worklist."""

from __future__ import annotations

from datetime import date

import streamlit as st

from utils.app import pacs, session
from utils.dicomweb.archive import MOST_STUDIES, Archive, SeriesEntry, StudyEntry, StudyQuery
from utils.dicomweb.errors import ArchiveError
from utils.wording import counted


def main() -> None:
    st.header("PACS")
    archive = pacs.archive()
    try:
        _search(archive)
        _load(archive)
    except ArchiveError as error:
        st.error(str(error), icon=":material/error:")


def _search(archive: Archive) -> None:
    """The form; its result stays in the session."""
    with st.form("pacs-search"):
        fields = st.columns(3)
        patient = fields[0].text_input("Patient ID", max_chars=64)
        accession = fields[1].text_input("Accession number", max_chars=16)
        days = fields[2].date_input("Study date, or first and last", value=[])
        is_submitted = st.form_submit_button("Search for MR studies", icon=":material/search:")
    if not is_submitted:
        return
    query = StudyQuery(patient.strip(), accession.strip(), _range(days))
    st.session_state.pop("pacs-studies", None)
    if query == StudyQuery():
        st.warning("Enter a patient ID, an accession number or a date.", icon=":material/info:")
        return
    st.session_state["pacs-studies"] = archive.studies(query)


def _load(archive: Archive) -> None:
    """Choose a study and a series of the result, and load it."""
    studies: list[StudyEntry] | None = st.session_state.get("pacs-studies")
    if studies is None:
        return
    if not studies:
        st.info("No MR study matches.", icon=":material/info:")
        return
    more = f" (the first {MOST_STUDIES})" if len(studies) == MOST_STUDIES else ""
    study = st.selectbox(f"Study{more}", studies, format_func=_study_in_words)
    series = archive.series(study.uid)
    if not series:
        st.info("This study has no MR series.", icon=":material/info:")
        return
    chosen = st.selectbox("Series", series, format_func=_series_in_words)
    if st.button("Load series", icon=":material/download:"):
        with st.spinner("Loading ..."):
            files = archive.files(study.uid, chosen.uid)
        session.add_files(list(zip(pacs.file_names(chosen.uid, len(files)), files, strict=True)))
        st.switch_page("pages/read.py")


def _range(days: object) -> str:
    """DICOM's form of the chosen day or days."""
    chosen = [day for day in days if isinstance(day, date)] if isinstance(days, tuple | list) else []
    return "-".join(day.strftime("%Y%m%d") for day in chosen)


def _study_in_words(study: StudyEntry) -> str:
    parts = (study.date, study.description, f"patient {study.patient_id}", study.accession_number)
    return ", ".join(part for part in parts if part)


def _series_in_words(series: SeriesEntry) -> str:
    images = "" if series.images is None else counted(series.images, "image")
    return ", ".join(part for part in (series.number, series.description, images) if part)


session.enter()
session.need_networks()
main()
