"""Networks and stored results of the running app: loaded once per process, for every session."""

from __future__ import annotations

import gc
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from utils.networks import shipped
from utils.networks.cards import Card, NetworkUnavailable, check_weights, load_card
from utils.networks.registry import segmenters
from utils.networks.runtime.choice import served
from utils.networks.shipped import ENSEMBLE, reading_networks, segmentation_weights, subtype_weights
from utils.paths import models_folder
from utils.reading.background import release
from utils.reading.study import STUDY, load_study_fusion
from utils.reading.worklist import Entry, read_entries
from utils.scans.decoder_process import decoder
from utils.scans.example import synthetic_scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from utils.networks.shipped import Ensemble
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader, Reading
    from utils.reading.segmenter import Segmenter
    from utils.records.explanations import ExplanationsRecord
    from utils.records.segmentation import OutlineRecord
    from utils.records.study import StudyFusion
    from utils.results.records import Evaluation, MeasuredModel

AFTER_LOADING = 1.0  # seconds in which a page that waits for the networks has the processor for itself


def warm_up() -> None:
    """Start to load the networks in the background."""
    _loading(str(models_folder()))


@dataclass(frozen=True)
class Loaded:
    """The app's networks, and the synthetic example as they read it: the first pass arranges the weights."""

    readers: list[Reader]
    example: Entry


def readers() -> list[Reader]:
    """The networks, loaded once per process. Shows an error and stops the page where one is missing."""
    return _loaded().readers


def example() -> Entry:
    """The synthetic example, read; as `readers`."""
    return _loaded().example


def _loaded() -> Loaded:
    loading = _loading(str(models_folder()))
    try:
        if loading.done():
            return loading.result()
        with st.spinner("Loading the models ..."):
            return loading.result()
    except NetworkUnavailable as error:
        _loading.clear()  # so that a restored file is loaded without a restart
        st.error(f"The models cannot be used. {error}", icon=":material/error:")
        st.stop()


def reader_of(reading: Reading) -> Reader:
    """The network that gave a reading."""
    return next(reader for reader in readers() if reader.card.name == reading.network)


def card_of(reading: Reading) -> Card | None:
    """The card of the network that gave a reading, without loading the network; None where it cannot be read."""
    weights = next((file for file in reading_networks() if file.stem == reading.network), None)
    try:
        return served(load_card(weights)) if weights else None
    except NetworkUnavailable:
        return None


def subtype_reader() -> Reader | None:
    """The subtype network, loaded when it is first used; None where it is missing."""
    weights = subtype_weights()
    return None if weights is None else _subtypes(str(weights), weights.stat().st_mtime_ns)


def network_problems() -> list[str]:
    """A sentence for each network file that is missing or altered, checked at every call."""
    problems = []
    for weights in reading_networks():
        try:
            card = load_card(weights)
            stamp = weights.stat().st_mtime_ns if weights.is_file() else 0
            _checked(str(weights), stamp, card.version)
        except NetworkUnavailable as error:
            problems.append(str(error))
    if problems:
        _loading.clear()  # so that a restored file is loaded without a restart
    return problems


def evaluations() -> list[Evaluation]:
    """The stored evaluations on test scans of the app's protocol."""
    return _evaluations(str(models_folder()))


def joint_reader() -> JointReader | None:
    """What the ensemble's answers are read with; None without a segmentation network."""
    from utils.reading.joint import JointReader

    network, stored = segmenter(), _stored_ensemble(str(models_folder()), _stamp(ENSEMBLE))
    return JointReader(network, stored.detection if stored else None) if network else None


def ensemble_thresholds() -> Mapping[str, float] | None:
    """The ensemble's referral threshold (0..1) of each class; None where each network has its own."""
    stored = _stored_ensemble(str(models_folder()), _stamp(ENSEMBLE))
    return stored.referral_thresholds if stored else None


def ensemble_problem() -> str:
    """Why the ensemble's file cannot be read, as a sentence; "" where it can, or there is none."""
    return _ensemble_problem(str(models_folder()), _stamp(ENSEMBLE))


def ensemble_accuracy() -> float | None:
    """The accuracy (0..1) of concordant models above the ensemble's thresholds on validation scans; None if unknown."""
    stored = _stored_ensemble(str(models_folder()), _stamp(ENSEMBLE))
    return stored.validation.accuracy if stored and stored.validation else None


def ensemble() -> MeasuredModel | None:
    """The ensemble on test scans; None where a network was not evaluated."""
    return _ensemble(str(models_folder()))


def study_fusion() -> StudyFusion | None:
    """How slices become a patient-level answer; None where it was not fitted for the app's networks."""
    return _study_fusion(str(models_folder()), _stamp(STUDY))


def explanations(network: str, version: str) -> ExplanationsRecord | None:
    """The localisation record of a network's maps; None where these weights were not evaluated."""
    record = _explanations(str(models_folder()), network)
    return record if record and record.weights_sha256 == version else None


def outline_record() -> OutlineRecord | None:
    """The evaluation record of the segmentation network; None where these weights were not evaluated."""
    loaded, record = segmenter(), _outlines(str(models_folder()))
    return record if loaded and record and record.weights_sha256 == loaded.card.version else None


def segmenter() -> Segmenter | None:
    """The segmentation network, loaded when it is first used; None where it is missing."""
    weights = segmentation_weights()
    return _segmenter(str(weights), weights.stat().st_mtime_ns) if weights.is_file() else None


@st.cache_resource(show_spinner=False)
def _loading(models: str) -> Future[Loaded]:
    future: Future[Loaded] = Future()

    def load() -> None:
        try:
            paths = reading_networks(Path(models))
            for path in paths:
                load_card(path)  # a missing file is reported before the runtime is imported
            from utils.reading.reader import Reader

            loaded, joint, scan = [Reader.load(path) for path in paths], joint_reader(), synthetic_scan()
            example = read_entries([Entry("synthetic", scan.name, scan)], loaded, joint)[0]
            release(loaded, joint)
            gc.freeze()  # spares these objects Streamlit's collection of garbage, which follows every rerun
            future.set_result(Loaded(loaded, example))
        except NetworkUnavailable as error:
            future.set_exception(error)
        except Exception as error:  # no traceback in the browser
            future.set_exception(NetworkUnavailable(f"Loading failed: {type(error).__name__}: {error}"))
        time.sleep(AFTER_LOADING)
        decoder().start()
        _ensemble(models)  # pages show its figures beside the answers
        gc.collect()
        gc.freeze()

    threading.Thread(target=load, daemon=True, name="load-networks").start()
    return future


@st.cache_resource(show_spinner=False, max_entries=1)
def _subtypes(weights: str, stamp: int) -> Reader | None:
    from utils.reading.reader import Reader

    try:
        return Reader.load(Path(weights))
    except NetworkUnavailable:
        return None


@st.cache_resource(show_spinner=False, max_entries=1)
def _segmenter(weights: str, stamp: int) -> Segmenter | None:
    from utils.reading.segmenter import Segmenter

    try:
        return Segmenter.load(Path(weights))
    except NetworkUnavailable:
        return None


@st.cache_resource(show_spinner=False, ttl=600)
def _explanations(models: str, network: str) -> ExplanationsRecord | None:
    from utils.datasets.protocols import shipped_protocol
    from utils.results.records import load_explanations

    return load_explanations(Path(models) / "evaluation", network, shipped_protocol().name)


@st.cache_resource(show_spinner=False, ttl=600)
def _outlines(models: str) -> OutlineRecord | None:
    from utils.datasets.protocols import shipped_protocol
    from utils.results.records import load_outlines

    return load_outlines(Path(models) / "evaluation", segmenters()[0], shipped_protocol().name)


def _stamp(name: str) -> int:
    """Changes when this file of the models folder does; 0 without one."""
    file = models_folder() / name
    return file.stat().st_mtime_ns if file.is_file() else 0


@st.cache_resource(show_spinner=False)
def _stored_ensemble(models: str, stamp: int) -> Ensemble | None:
    return shipped.load_ensemble(Path(models))


@st.cache_resource(show_spinner=False)
def _ensemble_problem(models: str, stamp: int) -> str:
    return shipped.ensemble_problem(Path(models))


@st.cache_resource(show_spinner=False)
def _study_fusion(models: str, stamp: int) -> StudyFusion | None:
    return load_study_fusion(Path(models))


@st.cache_resource(show_spinner=False, ttl=600)
def _ensemble(models: str) -> MeasuredModel | None:
    from utils.datasets.protocols import shipped_protocol
    from utils.results.ensemble import measured_ensemble
    from utils.results.records import load_tumor_scores

    try:
        shown = [load_card(file) for file in reading_networks(Path(models))]
    except NetworkUnavailable:
        return None
    versions = {card.name: card.version for card in shown}
    record, network = shipped.load_ensemble(Path(models)), segmenters()[0]
    if record is None or record.detection is None:
        return measured_ensemble(evaluations(), versions)
    folder, version = Path(models) / "evaluation", record.weights_sha256.get(network, "")
    scores = load_tumor_scores(folder, network, shipped_protocol().name, version)
    return measured_ensemble(evaluations(), versions, record.detection, scores)


@st.cache_resource(show_spinner=False)
def _checked(weights: str, stamp: int, version: str) -> None:
    """Hash a weights file once for each state of it; `stamp` and `version` are only its identity."""
    check_weights(load_card(Path(weights)))


@st.cache_resource(show_spinner=False, ttl=600)
def _evaluations(models: str) -> list:
    from utils.datasets.protocols import shipped_protocol
    from utils.results.records import load_evaluations

    return load_evaluations(Path(models) / "evaluation", shipped_protocol())
