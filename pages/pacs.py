"""PACS: search an archive by DICOMweb and load a series into the worklist."""

from __future__ import annotations

from datetime import date

import streamlit as st

from utils.app import dicom_panel, pacs, session
from utils.dicomweb.archive import MOST_STUDIES, Archive, SeriesEntry, StudyEntry, StudyQuery
from utils.dicomweb.errors import ArchiveError


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
        days = fields[2].date_input("Study date or range", value=[], format="YYYY-MM-DD")
        is_submitted = st.form_submit_button("Search for MR studies", icon=":material/search:")
    if not is_submitted:
        return
    query = StudyQuery(patient.strip(), accession.strip(), _range(days))
    pacs.forget_studies()
    if query == StudyQuery():
        st.warning("Enter a patient ID, an accession number or a date.", icon=":material/info:")
        return
    with st.spinner("Searching ..."):
        pacs.keep_studies(archive.studies(query))


def _load(archive: Archive) -> None:
    """Choose a study and a series of the result, and load it."""
    studies = pacs.studies()
    if studies is None:
        return
    if not studies:
        st.info("No MR study matches.", icon=":material/info:")
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.subheader(f"Studies (the first {MOST_STUDIES})" if len(studies) == MOST_STUDIES else "Studies")
        row = _chosen_row(_study_table(studies), "studies")
    with right:
        st.subheader("MR series")
        series = archive.series(studies[row].uid)
        if not series:
            st.info("This study has no MR series.", icon=":material/info:")
            return
        chosen = series[_chosen_row(_series_table(series), f"series-{row}")]
    dicom_panel.choice()
    if st.button("Load series", icon=":material/download:"):
        with st.spinner("Loading ..."):
            files = archive.files(studies[row].uid, chosen.uid)
        session.add_files(list(zip(pacs.file_names(chosen.uid, len(files)), files, strict=True)))
        st.switch_page("pages/read.py")


def _chosen_row(table: dict[str, list[str]], name: str) -> int:
    """Show a table; the row that is selected, at first the first."""
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        key=pacs.table_key(name),
        alt=f"Table of {name.partition('-')[0]}; select a row",
    )
    return event.selection.rows[0] if event.selection.rows else 0


def _study_table(studies: list[StudyEntry]) -> dict[str, list[str]]:
    return {
        "Date": [_day(study.date) for study in studies],
        "Description": [study.description for study in studies],
        "Patient ID": [study.patient_id for study in studies],
        "Accession number": [study.accession_number for study in studies],
    }


def _series_table(series: list[SeriesEntry]) -> dict[str, list[str]]:
    return {
        "No.": [each.number for each in series],
        "Description": [each.description for each in series],
        "Images": ["" if each.images is None else str(each.images) for each in series],
        "Loaded as": [pacs.loaded_as(each.uid) for each in series],
    }


def _range(days: object) -> str:
    """DICOM's form of the chosen day or days."""
    chosen = [day for day in days if isinstance(day, date)] if isinstance(days, tuple | list) else []
    return "-".join(day.strftime("%Y%m%d") for day in chosen)


def _day(text: str) -> str:
    """A date of an archive, 20240131, as people write it; any other text as it is."""
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


session.enter()
session.need_networks()
main()
