"""Acceptance: may the models be used at this site? Scans of known diagnosis in, a verdict and a site profile out."""

from __future__ import annotations

import streamlit as st

from utils.acceptance.diagnoses import HOW
from utils.acceptance.profile import SiteProfileError
from utils.acceptance.verdict import FEWEST_OF_A_KIND, FEWEST_SCANS
from utils.acceptance.words import answers_in_words
from utils.app import acceptance_panel, drift_panel, session, site
from utils.wording import counted


def main() -> None:
    st.header("Acceptance at this site")
    _in_use()
    current = acceptance_panel.result()
    if current is None:
        _start()
        return
    acceptance_panel.verdict(current)
    acceptance_panel.details(current)
    acceptance_panel.profile_controls(current)
    if st.button("Start again", icon=":material/restart_alt:"):
        acceptance_panel.forget()
        st.rerun()


def _in_use() -> None:
    """The profile of this session, and whether the scans that are read still fit it."""
    profile = site.profile()
    if profile is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**In use.** {answers_in_words(profile)}", width="stretch")
        if st.button("Stop using it", icon=":material/close:"):
            site.use(None)
            st.rerun()
    drift_panel.panel()


def _start() -> None:
    """What to bring, and where to drop it."""
    st.markdown(
        f"Upload 50 to 200 scans of this site with known diagnoses, {FEWEST_OF_A_KIND} or more with and "
        f"{FEWEST_OF_A_KIND} or more without a tumour; fewer than {FEWEST_SCANS} give no verdict. "
        f"At most 5 single slices of a patient; the stacks of a study count as one case. {HOW}"
    )
    files = st.file_uploader(
        "Scans, a ZIP of class folders, a CSV table", accept_multiple_files=True, key="acceptance-files"
    )
    if files and st.button("Measure", icon=":material/fact_check:"):
        session.need_networks()
        acceptance_panel.measure_files([(file.name, file.getvalue()) for file in files])
    reviewed = acceptance_panel.reviewed_scans()
    if reviewed and st.button(
        f"Measure on {counted(len(reviewed), 'reviewed scan')} of this session", icon=":material/rate_review:"
    ):
        try:
            acceptance_panel.measure(reviewed)
            st.rerun()
        except SiteProfileError as error:
            st.error(str(error), icon=":material/error:")
    with st.expander("Use a site profile that was made before"):
        file = st.file_uploader("Site profile (JSON)", type="json", key="profile-file")
        if file and st.button("Use it in this session"):
            acceptance_panel.use_file(file.name, file.getvalue())
    st.caption(
        "Scans are read in memory and forgotten; scores and labels stay in this session. Known diagnoses of the case "
        "store count too, where it is on. For research and education only."
    )


session.enter()
main()
