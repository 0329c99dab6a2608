"""Volume: a whole study, its patient-level answer, its series, and the slices of one with maps and probabilities."""

import streamlit as st

from utils.app import dicom_panel, panels, review_panel, session, stack_panels, study_panels
from utils.reading.study import study_of, waiting_of


def main() -> None:
    volumes = [entry for entry in session.entries() if entry.slices and entry.is_read]
    if not volumes:
        st.info(
            "No volume loaded. Upload a DICOM series (its files or a ZIP) or a NIfTI file on the Read page."
        )
        st.stop()
    volume = panels.scan_picker(volumes)
    study = study_of(volume, volumes)
    study_panels.headline(study, volume, waiting_of(volume, session.entries()))
    image_side, curve_side = st.columns([5, 4], gap="medium")
    with curve_side:
        stack_panels.key_slices(volume)
        stack_panels.curves(volume)
        label = stack_panels.slice_in_view(volume)
        study_panels.basis(study, volume)
        with st.container(horizontal=True):
            review_panel.report_button([volume], "Report of this study (PDF)", "report-study")
            dicom_panel.download(volume, "volume")
    with image_side:
        stack_panels.viewer_of(volume, label)
    if len(study) > 1:
        study_panels.series_side_by_side(study, volume)
    own = {entry.key for entry in study}
    study_panels.follow_up(volume, [entry for entry in volumes if entry.key not in own])


session.enter()
session.need_networks()
main()
