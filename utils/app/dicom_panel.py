"""DICOM results of the scan in view: the choice to keep headers, and the download."""

from __future__ import annotations

import streamlit as st

from utils.app import referral, resources, session
from utils.reading.worklist import Entry
from utils.reports.dicom.errors import NotReportable
from utils.reports.dicom.kinds import KINDS

CHOICE = "DICOM results for this study"
DEFAULT = [kind for kind in KINDS if kind != "map"]  # it is large
HELP = (
    "Keeps the patient's identity and the position of each slice from the headers of the DICOM files that you add "
    "from now on, in the memory of this session only, so that results can be downloaded as DICOM objects. Off: no "
    "header is kept."
)


def choice() -> None:
    """Switch keeping headers on or off; off forgets them."""
    is_on = st.toggle(CHOICE, value=session.keeps_headers(), help=HELP)
    if is_on != session.keeps_headers():
        session.keep_headers(is_on)
        st.rerun()


def download(entry: Entry, page: str) -> None:
    """A button for the objects of a scan that came as DICOM, where headers are kept; `page` keeps widgets apart."""
    if not session.keeps_headers() or entry.scan is None or entry.scan.format != "DICOM":
        return
    from utils.reports.dicom.results import check, dicom_results, zip_of  # they take a second to import
    from utils.reports.dicom.series import ReadSeries, hashes_of, with_outlines

    sources, segmenter, rule = session.headers(), resources.segmenter(), referral.rule()
    if not hashes_of([entry]) <= sources.keys():
        st.caption(f"{CHOICE}: add its files again; their headers were not kept.")
        return
    try:
        check(ReadSeries(entry, sources))
    except NotReportable as error:
        st.caption(f"{CHOICE}: {error}")
        return
    with st.popover("DICOM results", icon=":material/deployed_code:"):
        kinds = st.pills(
            "Objects",
            [*KINDS],
            selection_mode="multi",
            default=DEFAULT,
            format_func=lambda kind: KINDS[kind].description,
            key=f"{page}-kinds",
        )
        st.download_button(
            "Download ZIP",
            # now: the session is not available when the file is created
            lambda: zip_of(dicom_results(with_outlines(entry, sources, segmenter, rule), kinds)),
            "dicom-results.zip",
            "application/zip",
            icon=":material/download:",
            key=f"{page}-dicom-{entry.key}",
            on_click="ignore",
            disabled=not kinds,
        )
        st.caption(
            "The objects carry the patient's identity from the headers. Research and education only; an outline is "
            "written only where a lesion was segmented."
        )
