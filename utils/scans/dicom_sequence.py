"""DICOM attributes -> the MRI sequence of a frame, where they define it. The descriptions stay in this module."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from utils.classes import CONTRAST, FLAIR, OTHER_SEQUENCE, T1, T2
from utils.scans.dicom_values import first_number, frame_value, texts, value_of

# Enhanced MR, PS3.3 C.8.13.2.1.1
ACQUISITION_CONTRASTS = {
    "T1": T1,
    "T2": T2,
    "FLUID_ATTENUATED": FLAIR,
    "DIFFUSION": OTHER_SEQUENCE,
    "FLOW_ENCODED": OTHER_SEQUENCE,
    "PERFUSION": OTHER_SEQUENCE,
    "PROTON_DENSITY": OTHER_SEQUENCE,
    "STIR": OTHER_SEQUENCE,
    "TAGGING": OTHER_SEQUENCE,
    "T2_STAR": OTHER_SEQUENCE,
    "TOF": OTHER_SEQUENCE,
}
# Words of series descriptions, as `_words` gives them
OTHER_WORDS = re.compile(
    r" (?:DWI|DTI|DIFF\w*|EP2D|EPI|ADC|TRACEW?|SWI\w*|SWAN|SUSC\w*|MINIP|MIP|TOF|MRA|ANGIO\w*|VENO\w*|PERF\w*|PWI|DSC|"
    r"DCE|[PC]*ASL|BOLD|FMRI|FIELD *MAP\w*|LOCALI[SZ]ER\w*|LOC|SCOUT|AAHSCOUT|SURVEY|CALIB\w*|T2 *(?:\*|STAR)|HEMO|"
    r"CISS|FIESTA|STIR|CBV|CBF|MTT|TTP|TMAX|SUB|SUBTR\w*|SPECTRO\w*|MRS|CSI|SVS) "
)
T1_WORDS = re.compile(r" (?:S?T1\w*|MP *RAGE|MP2RAGE|F?SPGR|BRAVO|VIBE|TFL3D\w*) ")
T2_WORDS = re.compile(r" T2\w* ")
FLAIR_WORDS = re.compile(r" (?:\w*FLAIR\w*|DARK *FLUID) ")
PROTON_WORDS = re.compile(r" (?:PD\w*|PROTON) ")
_AGENTS = r"(?:CON|KON)TRAST\w*|KM|GAD\w*|GD|CE|CM"
WITHOUT_CONTRAST = re.compile(
    rf" (?:(?:PRE|NATIVE?|OHNE|WITHOUT|WO|W  O|SANS)(?:  IV)?(?:  (?:{_AGENTS}))?|(?:NO|NON|SIN)  (?:{_AGENTS})|"
    r"NON?CONTRAST|UNENH\w*|PRE(?:GD|GAD\w*|CONTR\w*)) "
)
WITH_CONTRAST = re.compile(
    rf" (?:(?:T1W?)?POST(?!  OP|  FOSSA|  TRAUM|  SURG)(?:{_AGENTS})?|T1W?(?:{_AGENTS}|C)|{_AGENTS}|"
    r"\+C|C  \+|\+(?:GD|CE|KM|GAD\w*)?|DOTAREM|MAGNEVIST|CLARISCAN|PROHANCE|MULTIHANCE) "
)
NO_AGENT = frozenset(
    {"", "NO", "N", "NONE", "NON", "NULL", "NIL", "UNKNOWN", "WITHOUT", "OHNE", "0", "NO CONTRAST"}
)


def sequence_of_frame(ds: Dataset, index: int) -> str:
    """One of `classes.SEQUENCES`, OTHER_SEQUENCE, or "" where the file does not define it.

    The scanner's own statement (AcquisitionContrast) counts first, then words of the description, then the times of
    the measurement.
    """
    if (texts(value_of(ds, "Modality")) or [""])[0] not in ("MR", ""):
        return ""
    described = [_words(ds, name) for name in ("SeriesDescription", "ProtocolName", "SequenceName")]
    stated = texts(frame_value(ds, "MRImageFrameTypeSequence", "AcquisitionContrast", index))
    kind = ACQUISITION_CONTRASTS.get(stated[0], "") if stated else ""
    kind = kind or next(filter(None, map(_kind_in_words, described)), "") or _kind_from_times(ds, index)
    return _with_contrast(ds, next(filter(None, described), "")) if kind == T1 else kind


def _words(ds: Dataset, keyword: str) -> str:
    """An attribute in upper case with blanks around every word, and a plus at the beginning of a word; "" without."""
    words = re.findall(r"[A-Z0-9*]+|\+[A-Z0-9]*", " ".join(texts(value_of(ds, keyword))))
    return f" {'  '.join(words)} " if words else ""


def _kind_in_words(words: str) -> str:
    """T1, T2, FLAIR or OTHER_SEQUENCE; "" where nothing is said, or two things."""
    if OTHER_WORDS.search(words):
        return OTHER_SEQUENCE
    is_t1, is_t2 = T1_WORDS.search(words) is not None, T2_WORDS.search(words) is not None
    if FLAIR_WORDS.search(words):
        return T1 if is_t1 else FLAIR  # "T1 FLAIR" nulls the fluid of a T1 image
    is_proton = PROTON_WORDS.search(words) is not None
    if is_t1 + is_t2 + is_proton != 1:
        return ""
    return T1 if is_t1 else T2 if is_t2 else OTHER_SEQUENCE


def _kind_from_times(ds: Dataset, index: int) -> str:
    """The same from echo, repetition and inversion time in ms; "" where they fit several."""
    echo = _time(ds, index, "MREchoSequence", "EffectiveEchoTime", "EchoTime")
    repetition = _time(ds, index, "MRTimingAndRelatedParametersSequence", "RepetitionTime", "RepetitionTime")
    inversion = _time(ds, index, "MRModifierSequence", "InversionTimes", "InversionTime")
    if echo is None or repetition is None:
        return ""
    if inversion is not None and inversion >= 1500:
        return FLAIR if echo >= 60 and repetition >= 4000 else ""
    if inversion is not None and 400 <= inversion <= 1300:
        return T1 if echo <= 30 else ""
    is_spin_echo = "SE" in texts(value_of(ds, "ScanningSequence"))
    if is_spin_echo and repetition >= 2000:
        return T2 if echo >= 60 else OTHER_SEQUENCE if echo <= 40 else ""  # short: proton density
    return T1 if is_spin_echo and 200 <= repetition <= 1000 and echo <= 30 else ""


def _time(ds: Dataset, index: int, group: str, keyword: str, plain: str) -> float | None:
    value = first_number(frame_value(ds, group, keyword, index))
    value = first_number(value_of(ds, plain)) if value is None else value
    return value if value is None or value > 0 else None


def _with_contrast(ds: Dataset, words: str) -> str:
    """T1 with or without contrast: as the description says, else by the agent; "" where it says both."""
    is_without = WITHOUT_CONTRAST.search(words) is not None
    is_with = WITH_CONTRAST.search(WITHOUT_CONTRAST.sub(" ", words)) is not None
    if is_with and is_without:
        return ""
    has_agent = any(text not in NO_AGENT for text in texts(value_of(ds, "ContrastBolusAgent")))
    has_agent = has_agent or bool(value_of(ds, "ContrastBolusAgentSequence"))
    return CONTRAST if is_with or (has_agent and not is_without) else T1
