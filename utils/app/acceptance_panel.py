"""The Acceptance page's parts: scans and diagnoses in, and what was measured out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from utils.acceptance import words
from utils.acceptance.diagnoses import Diagnoses, Diagnosis, read_diagnoses
from utils.acceptance.figures import reliability_table
from utils.acceptance.profile import SiteProfileError, evaluated_rule, make_profile, parse_profile
from utils.acceptance.run import Acceptance, File, accept, expanded, read_scans
from utils.acceptance.scores import ScoredScan, cases_of, scored
from utils.app import panels, resources, review_panel, session, site
from utils.cases.reviews import ReviewError, label_of
from utils.cases.store import CaseStoreError
from utils.datasets.tables import DatasetError
from utils.paths import models_folder
from utils.reading.background import read_safely, release
from utils.reading.worklist import Entry, representative
from utils.records.acceptance import LONGEST_NAME, AcceptanceRecord, SiteProfile
from utils.records.base import record_json
from utils.results.records import load_acceptance
from utils.results.titles import MODEL_TITLES
from utils.scans.errors import UnreadableScan
from utils.wording import counted

_KEY = "acceptance"
_BOXES = {
    "as evaluated": (st.success, ":material/check_circle:"),
    "refitted": (st.warning, ":material/tune:"),
    "not here": (st.error, ":material/block:"),
}


@dataclass(frozen=True)
class Result:
    """An acceptance of this session. problems: (file, reason) of what was left out."""

    acceptance: Acceptance
    problems: tuple[tuple[str, str], ...] = ()


def result() -> Result | None:
    """The acceptance of this session; None before it."""
    return st.session_state.get(_KEY)


def forget() -> None:
    st.session_state.pop(_KEY, None)


def reference() -> AcceptanceRecord | None:
    """The stored figures."""
    return load_acceptance(models_folder())


def reviewed_scans() -> list[ScoredScan]:
    """The session's scans whose reviews name a diagnosis that counts."""
    scans = []
    reviews, fusion = review_panel.reviews(), resources.study_fusion()
    for entry in session.as_evaluated():
        if entry.key not in reviews or not entry.is_read:
            continue
        try:
            label = label_of(
                reviews[entry.key], [reading.label for reading in representative(entry).readings]
            )
        except ReviewError:
            continue
        diagnosis = Diagnoses(by_sha256={entry.sha256: label or ""}).of((), entry.sha256)
        if diagnosis is not None:
            scans.append(scored(entry, diagnosis.target, fusion=fusion))
    return cases_of(scans, fusion)


def measure(scans: Sequence[ScoredScan], problems: Sequence[tuple[str, str]] = ()) -> None:
    """Measure and decide; the result stays in the session. Raises SiteProfileError without an ensemble."""
    st.session_state[_KEY] = Result(accept(scans, evaluated_rule(), reference()), tuple(problems))


def measure_files(uploaded: Sequence[tuple[str, bytes]]) -> None:
    """Read uploaded files (name, content) with a progress bar, and measure. Shows what is wrong in a sentence."""
    try:
        evaluated_rule()
        files, problems = _expanded(uploaded)
        tables = [file for file in files if file.name.lower().endswith(".csv")]
        by_file: dict[str, Diagnosis] = {}
        for table in tables:
            by_file |= read_diagnoses(table.content(), table.name)
        diagnoses = Diagnoses(by_file, _stored_labels())
    except (SiteProfileError, DatasetError, UnreadableScan, CaseStoreError) as error:
        st.error(str(error), icon=":material/error:")
        return
    scans, more = _read([file for file in files if file not in tables], diagnoses)
    if scans:
        measure(scans, [*problems, *more])
        st.rerun()
    reasons = list(dict.fromkeys(reason for _, reason in [*problems, *more])) or [
        "There is no scan among the files."
    ]
    st.error(f"No scan could be used. {' '.join(reasons[:3])}", icon=":material/error:")


def _expanded(uploaded: Sequence[tuple[str, bytes]]) -> tuple[list[File], list[tuple[str, str]]]:
    """The files with those of ZIPs, and the ZIPs that are refused."""
    files: list[File] = []
    problems: list[tuple[str, str]] = []
    for name, content in uploaded:
        try:
            files += expanded(name, content)
        except UnreadableScan as error:
            problems.append((name, str(error)))
    return files, problems


def _stored_labels() -> dict[str, str]:
    """SHA-256 -> label of the reviews in the case store, where it is on."""
    store = review_panel.case_store()
    cases = store.cases() if store is not None else []
    return {case.sha256: case.label for case in cases if case.label}


def _read(files: Sequence[File], diagnoses: Diagnoses) -> tuple[list[ScoredScan], list[tuple[str, str]]]:
    readers, joint_reader = resources.readers(), resources.joint_reader()
    bar = st.progress(0.0, "Analysing ...")

    def read(entries: Sequence[Entry]) -> list[Entry]:
        return read_safely(entries, readers, joint_reader, with_maps=False)

    def show(done: int, total: int) -> None:
        bar.progress(done / max(total, 1), f"{done} of {total} analysed")

    try:
        return read_scans(files, diagnoses, read, resources.study_fusion(), show)
    finally:
        bar.empty()
        release(readers, joint_reader)


def verdict(current: Result) -> None:
    """The verdict with its reason, first."""
    decision = current.acceptance.decision
    show, icon = _BOXES.get(decision.verdict or "", (st.info, ":material/hourglass_empty:"))
    show(f"**{decision.title}.** {decision.reason}", icon=icon)


def details(current: Result) -> None:
    """The table, the reliability diagram, single networks, and what was left out."""
    acceptance = current.acceptance
    left, right = st.columns([3, 2], gap="large")
    with left:
        rows = words.table(acceptance.as_evaluated, acceptance.refitted, reference())
        panels.wide_table(rows, "Figures of this site", is_unbroken=True)
        st.caption("  \n".join(words.NOTES))
        with st.expander("Each model alone"):
            rows = words.network_table(acceptance.networks, MODEL_TITLES)
            panels.wide_table(rows, "Figures of each model", is_unbroken=True)
    with right:
        points = reliability_table(acceptance.scores, acceptance.answers)
        if len(points):
            from utils.charts.calibration import reliability_diagram

            panels.chart(reliability_diagram(points))
    if current.problems:
        with st.expander(f"{counted(len(current.problems), 'file')} left out", icon=":material/block:"):
            lines = [f"- **{panels.in_markdown(name)}**: {reason}" for name, reason in current.problems]
            st.markdown("\n".join(lines))


def profile_controls(current: Result) -> None:
    """Name the site; download its profile, and use it in this session."""
    if current.acceptance.decision.verdict is None:
        return
    name = st.text_input("Name of the site (in every report)", "This site", max_chars=LONGEST_NAME)
    try:
        profile = _profile(current, name)
    except SiteProfileError as error:
        st.error(str(error), icon=":material/error:")
        return
    with st.container(horizontal=True):
        st.download_button(
            "Site profile (JSON)",
            record_json(profile),
            "site-profile.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
        if profile.verdict != "not here" and st.button(
            "Use this profile in this session", icon=":material/check:"
        ):
            site.use(profile)
            st.rerun()
    st.caption(
        "The profile holds figures, thresholds, the number of scans of each diagnosis and sorted scores. No image, "
        "file name or patient is in it."
    )


def _profile(current: Result, name: str) -> SiteProfile:
    """The profile of an acceptance; the same result and name keep their version."""
    made = st.session_state.get("acceptance-profile")
    if made is None or made[0] is not current or made[1] != name:
        made = (current, name, make_profile(current.acceptance, name))
        st.session_state["acceptance-profile"] = made
    return made[2]


def use_file(name: str, content: bytes) -> None:
    """Use the profile of a file; shows what is wrong in a sentence."""
    try:
        site.use(parse_profile(content, Path(name)))
    except SiteProfileError as error:
        st.error(str(error), icon=":material/error:")
