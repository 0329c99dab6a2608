"""An acceptance: read scans of known diagnosis, measure, refit and decide."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from utils.acceptance.diagnoses import HOW, Diagnoses, Diagnosis
from utils.acceptance.figures import figures, network_figures
from utils.acceptance.refit import can_be_fitted, cross_validated, fit_rule
from utils.acceptance.scores import Answers, ScoredScan, Scores, answers, cases_of, scored
from utils.acceptance.verdict import Decision, decide, missing_scans
from utils.reading.worklist import Entry, merge_slices, open_files
from utils.records.acceptance import AcceptanceFigures, AcceptanceRecord, AnswerRule
from utils.records.study import StudyFusion
from utils.scans.archives import unpacked
from utils.scans.errors import UnreadableScan
from utils.scans.files import HEAD, series_of
from utils.scans.signatures import is_zip

AT_ONCE = 8  # slices a pass
NO_DIAGNOSIS = f"No diagnosis is known. {HOW}"


class File(NamedTuple):
    """Its path, what reads its content, and what it shares with the other files of its series (`files.series_of`)."""

    name: str
    content: Callable[[], bytes]
    series: bytes | None = None


@dataclass(frozen=True)
class Acceptance:
    """What was measured on `scores`. `refitted` is cross-validated; `rule` was fitted on all images; None where too few
    images allow no fit. `networks`: name -> figures of its own class."""

    scores: Scores
    answers: Answers
    as_evaluated: AcceptanceFigures
    networks: Mapping[str, AcceptanceFigures]
    refitted: AcceptanceFigures | None
    rule: AnswerRule | None
    decision: Decision


def accept(
    scans: Sequence[ScoredScan], evaluated: AnswerRule, reference: AcceptanceRecord | None
) -> Acceptance:
    """Measure, refit where there are enough images, and decide.

    scans: cases, as `read_scans` gives them. evaluated: the rule of the ensemble as it is shipped.
    """
    scores = Scores.of(scans)
    as_evaluated = answers(scores, evaluated)
    measured = figures(scores, as_evaluated)
    images = scores.rows(~scores.is_stack)
    can_fit = not missing_scans(images) and can_be_fitted(images)
    refitted = figures(scores, cross_validated(scores)) if can_fit else None
    return Acceptance(
        scores,
        as_evaluated,
        measured,
        network_figures(scores),
        refitted,
        fit_rule(scores) if can_fit else None,
        decide(scores, measured, refitted, reference),
    )


def expanded(name: str, content: bytes) -> Iterator[File]:
    """The files of a ZIP with their folders; any other file as it is. Raises UnreadableScan for a refused ZIP."""
    if not is_zip(content):
        yield File(name, lambda: content, series_of(content[:HEAD], _folder(name)))
        return
    for folder, member, data in unpacked(content):
        path = member if folder in ("", ".") else f"{folder}/{member}"
        series = series_of(data[:HEAD], _folder(path)) if isinstance(data, bytes) else None
        yield File(path, lambda data=data: _content(data), series)  # type: ignore[misc]


def read_scans(
    files: Iterable[File],
    diagnoses: Diagnoses,
    read: Callable[[Sequence[Entry]], list[Entry]],
    fusion: StudyFusion | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[ScoredScan], list[tuple[str, str]]]:
    """Read files one stack at a time: what acceptance needs of each case, and (file, reason) for those left out.

    read: the networks. fusion: makes patient-level answers of stacks. progress: called with the number of stacks that
    are done, and of all. A scan that comes twice counts once, and each file is opened once.
    """
    groups = _stacks(files)
    scans: list[ScoredScan] = []
    problems: list[tuple[str, str]] = []
    seen: set[str] = set()
    for done, group in enumerate(groups):
        progress(done, len(groups))
        for entry in open_files(_loaded(group, problems)):
            if not entry.is_accepted:
                problems.append((entry.name, entry.reason or ""))
                continue
            parts = entry.slices or (entry,)
            diagnosis = _diagnosis(diagnoses, parts, group, entry.sha256)
            if entry.sha256 in seen:
                problems.append((entry.name, "Duplicate of an earlier scan; it counts once."))
            elif diagnosis is None:
                problems.append((entry.name, NO_DIAGNOSIS))
            else:
                result = _read(parts, read)
                if result.is_read:
                    scans.append(scored(result, diagnosis.target, diagnosis.patient, fusion))
                else:
                    problems.append((entry.name, result.reason or ""))
            seen.add(entry.sha256)
    progress(len(groups), len(groups))
    return cases_of(scans, fusion), problems


def _diagnosis(
    diagnoses: Diagnoses, parts: Sequence[Entry], group: Sequence[File], sha256: str
) -> Diagnosis | None:
    """That of the files of a scan, else of the ZIP that they came in."""
    own = diagnoses.of([part.scan.name for part in parts if part.scan], sha256)
    return own or diagnoses.of([file.name for file in group], sha256)


def _read(parts: Sequence[Entry], read: Callable[[Sequence[Entry]], list[Entry]]) -> Entry:
    done = [
        entry for start in range(0, len(parts), AT_ONCE) for entry in read(parts[start : start + AT_ONCE])
    ]
    return merge_slices(done)


def _stacks(files: Iterable[File]) -> list[list[File]]:
    """The DICOM files of one series together, every other file alone."""
    series: dict[bytes, list[File]] = defaultdict(list)
    groups: list[list[File]] = []
    for file in files:
        if file.series is None:
            groups.append([file])
            continue
        if file.series not in series:
            groups.append(series[file.series])
        series[file.series].append(file)
    return groups


def _loaded(group: Sequence[File], problems: list[tuple[str, str]]) -> list[tuple[str, bytes]]:
    """Names and contents; what cannot be opened goes to the problems."""
    loaded = []
    for file in group:
        try:
            loaded.append((file.name, file.content()))
        except UnreadableScan as error:
            problems.append((file.name, str(error)))
    return loaded


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _content(data: bytes | UnreadableScan) -> bytes:
    if isinstance(data, UnreadableScan):
        raise data
    return data
