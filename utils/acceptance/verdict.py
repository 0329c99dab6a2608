"""May the networks be used at a site? One of three verdicts with its reason. docs/acceptance.md states the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from utils.acceptance.scores import Scores
from utils.records.acceptance import AcceptanceFigures, AcceptanceRecord, Share, Verdict
from utils.wording import counted, in_percent, listed, percent, sentence_case

FEWEST_SCANS = 50  # with a result, of known diagnosis
FEWEST_OF_A_KIND = 20  # with a tumour, and without
MARGIN = 0.15  # how far below the figure of held-out patients the interval of a figure may reach
MOST_UNUSUAL = 0.2  # share of unusual and rejected scans
LEAST_CORRECT_ANSWERS = 0.95  # what the interval of the share of correct answers must reach
CALIBRATION_MARGIN = (
    0.05  # of the calibration error, above that of held-out patients and what chance explains
)
VERDICT_TITLES: dict[Verdict, str] = {
    "as evaluated": "Use as evaluated",
    "refitted": "Use with the thresholds refitted here",
    "not here": "Do not use here",
}
FIGURE_TITLES = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "correct_type": "Correct type",
    "answered": "Answered",
    "correct_answers": "Correct when answered",
    "unusual": "Unusual or rejected",
}
COMPARED = ("sensitivity", "specificity", "correct_type")  # with held-out patients
LEAST_WITHOUT_REFERENCE = 0.9  # stands for the figures of held-out patients where those were not measured


@dataclass(frozen=True)
class Failure:
    """A criterion that is not met, as a clause. `is_open`: only because there are too few scans to exclude it."""

    clause: str
    is_open: bool = False


@dataclass(frozen=True)
class Decision:
    """`reason`: sentences. Without a verdict the reason says what more scans would settle."""

    verdict: Verdict | None
    reason: str

    @property
    def title(self) -> str:
        return "No verdict: too few scans" if self.verdict is None else VERDICT_TITLES[self.verdict]


def missing_scans(scores: Scores) -> str:
    """Which scans a verdict still needs, as a sentence; empty where there are enough."""
    used = scores.rows(scores.has_result)
    tumors = int(used.is_tumor.sum())
    lacking = {
        "scan": max(FEWEST_SCANS - len(used), 0),
        "scan with a tumour": max(FEWEST_OF_A_KIND - tumors, 0),
        "scan without tumour": max(FEWEST_OF_A_KIND - (len(used) - tumors), 0),
    }
    total = max(lacking["scan"], lacking["scan with a tumour"] + lacking["scan without tumour"])
    if not total:
        return ""
    kinds = [
        counted(count, noun, noun.replace("scan", "scans", 1))
        for noun, count in lacking.items()
        if count and noun != "scan"
    ]
    of_them = f", {listed(kinds)} among them" if kinds else ""
    return (
        f"A verdict needs at least {FEWEST_SCANS} scans of known diagnosis, {FEWEST_OF_A_KIND} with and "
        f"{FEWEST_OF_A_KIND} without a tumour. Add at least {total} more{of_them}."
    )


def decide(
    scores: Scores,
    as_evaluated: AcceptanceFigures,
    refitted: AcceptanceFigures | None,
    reference: AcceptanceRecord | None,
) -> Decision:
    """The verdict. `refitted` is cross-validated, None where nothing could be fitted."""
    missing = missing_scans(scores)
    if missing:
        return Decision(None, missing)
    held_out = reference.held_out if reference else None
    evaluated, again = failures(as_evaluated, held_out), failures(refitted, held_out) if refitted else None
    if not evaluated:
        compared = listed(FIGURE_TITLES[name].lower() for name in COMPARED)
        basis = "of held-out patients" if held_out else f"of {percent(LEAST_WITHOUT_REFERENCE)}"
        return Decision(
            "as evaluated",
            f"{sentence_case(compared)} are at most {100 * MARGIN:.0f} points below those {basis} (95 % CI), and "
            "the other criteria are met.",
        )
    if again is None:
        again = evaluated
    if not again:
        return Decision(
            "refitted",
            f"As evaluated: {_joined(evaluated)}. With the thresholds refitted here all criteria are met.",
        )
    if any(all(failure.is_open for failure in each) for each in (evaluated, again)):
        open_failures = again if all(failure.is_open for failure in again) else evaluated
        return Decision(
            None, f"{sentence_case(_joined(open_failures))}. The table says how many scans to add."
        )
    beginning = (
        "Even with thresholds refitted here"
        if refitted
        else "As evaluated, with too few single images to refit"
    )
    return Decision("not here", f"{beginning}: {_joined(again)}.")


def failures(figures: AcceptanceFigures, held_out: AcceptanceFigures | None) -> list[Failure]:
    """The criteria that the figures do not meet; empty where they meet all."""
    result = [_behind(name, figures.share(name), held_out) for name in COMPARED]
    correct = figures.correct_answers
    if correct is not None and correct.high < LEAST_CORRECT_ANSWERS:
        least = percent(LEAST_CORRECT_ANSWERS)
        result.append(Failure(f"{_in_words(correct)} of the answers are correct, and {least} are required"))
    unusual = figures.unusual
    if unusual is not None and unusual.low > MOST_UNUSUAL:
        result.append(Failure(f"{_in_words(unusual)} of the scans are unlike the training scans"))
    if _is_miscalibrated(figures, held_out):
        points = f"{100 * (figures.ece or 0):.0f} points"
        result.append(Failure(f"the probabilities are off by {points} on average, more than chance explains"))
    return [failure for failure in result if failure is not None]


def _behind(name: str, here: Share | None, held_out: AcceptanceFigures | None) -> Failure | None:
    """Where a figure may lie more than MARGIN below that of held-out patients."""
    if here is None:
        return None
    there = held_out.share(name) if held_out else None
    reference = there.value if there else LEAST_WITHOUT_REFERENCE
    least = reference - MARGIN
    if here.low >= least:
        return None
    basis = "on held-out patients" if there else "required"
    clause = f"{FIGURE_TITLES[name].lower()} is {_in_words(here)} against {percent(reference)} {basis}"
    if here.value < least:
        return Failure(clause)
    return Failure(
        f"{clause}, and {counted(here.n, 'scan')} cannot exclude that it is below {percent(least)}",
        is_open=True,
    )


def _joined(failures: Sequence[Failure]) -> str:
    return "; ".join(failure.clause for failure in failures)


def _is_miscalibrated(figures: AcceptanceFigures, held_out: AcceptanceFigures | None) -> bool:
    if figures.ece is None or figures.chance_ece is None:
        return False
    usual = held_out.ece if held_out and held_out.ece is not None else 0.0
    return figures.ece > max(figures.chance_ece, usual) + CALIBRATION_MARGIN


def _in_words(share: Share) -> str:
    """ "84 % (75-90)"."""
    return f"{percent(share.value)} ({in_percent(share.low)}-{in_percent(share.high)})"
