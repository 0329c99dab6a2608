"""An acceptance in words: the table of the page and of the command, and what the drift monitor says."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from utils.acceptance.drift import ANSWERS, Drift
from utils.acceptance.verdict import FIGURE_TITLES
from utils.records.acceptance import AcceptanceFigures, AcceptanceRecord, Share, SiteProfile
from utils.wording import NO_VALUE, counted, in_percent, listed, percent, value_with_interval

Row = dict[str, str]
HERE, WIDTH, REFITTED, HELD_OUT, NEVER_SEEN = (
    "Here (95 % CI)", "CI half-width (scans for ± 5 points)", "Refitted here†", "Held-out patients", "Never seen‡",
)  # fmt: skip
NOTES = (
    "† Temperature, tumour threshold and referral thresholds refitted, cross-validated: each scan is answered with "
    "thresholds that were fitted on other patients.",
    "‡ The range over the collections that the networks were trained without.",
)


def table(
    here: AcceptanceFigures, refitted: AcceptanceFigures | None, reference: AcceptanceRecord | None
) -> list[Row]:
    """One row a figure: here, with its width and the scans that it needs, refitted, and what was measured elsewhere."""
    elsewhere = list(reference.never_seen.values()) if reference else []
    rows = [
        _row(name, here, refitted, reference.held_out if reference else None, elsewhere)
        for name in FIGURE_TITLES
    ]
    error = _each(lambda figures: _error(figures.ece), here, refitted, reference)
    if here.chance_ece is not None:
        error[WIDTH] = f"chance: up to {_error(here.chance_ece)}"
    errors = [figures.ece for figures in elsewhere if figures.ece is not None]
    error[NEVER_SEEN] = f"{_error(min(errors))}-{_error(max(errors))}" if errors else NO_VALUE
    return [*rows, {"": "Calibration error", **error}]


def _row(
    name: str,
    here: AcceptanceFigures,
    refitted: AcceptanceFigures | None,
    held_out: AcceptanceFigures | None,
    elsewhere: list[AcceptanceFigures],
) -> Row:
    share = here.share(name)
    values = [each.value for figures in elsewhere if (each := figures.share(name)) is not None]
    return {
        "": FIGURE_TITLES[name] + (f" ({counted(share.n, 'scan')})" if share else ""),
        HERE: _in_words(share),
        WIDTH: NO_VALUE if share is None else f"± {50 * (share.high - share.low):.0f} ({share.needed})",
        REFITTED: _in_words(refitted.share(name)) if refitted else NO_VALUE,
        HELD_OUT: _in_words(held_out.share(name)) if held_out else NO_VALUE,
        NEVER_SEEN: f"{in_percent(min(values))}-{percent(max(values))}" if values else NO_VALUE,
    }


def _each(
    word: Callable[[AcceptanceFigures], str],
    here: AcceptanceFigures,
    refitted: AcceptanceFigures | None,
    reference: AcceptanceRecord | None,
) -> Row:
    return {
        HERE: word(here),
        WIDTH: NO_VALUE,
        REFITTED: word(refitted) if refitted else NO_VALUE,
        HELD_OUT: word(reference.held_out) if reference else NO_VALUE,
    }


def network_table(networks: Mapping[str, AcceptanceFigures], titles: Mapping[str, str]) -> list[Row]:
    """One row a network: what its own class is worth. titles: of the networks."""
    return [
        {
            "Model": titles.get(name, name),
            **{
                FIGURE_TITLES[figure]: _in_words(figures.share(figure))
                for figure in ("sensitivity", "specificity", "correct_type")
            },
        }
        for name, figures in networks.items()
    ]


def answers_in_words(profile: SiteProfile) -> str:
    """What answers with a profile are worth at its site, as a sentence."""
    figures = profile.refitted if profile.active_rule and profile.refitted else profile.figures
    answered, correct = figures.answered, figures.correct_answers
    if answered is None or correct is None:
        return f"Site profile {profile.title}: none of its scans was answered."
    basis = "" if profile.active_rule is None else ", cross-validated"
    return (
        f"Site profile {profile.title}: {percent(answered.value)} of {counted(answered.n, 'scan')} answered, "
        f"{value_with_interval(correct.value, (correct.low, correct.high), 0, label='95 % CI ')} of them "
        f"correctly{basis}."
    )


def drift_in_words(drift: Drift, titles: Mapping[str, str]) -> str:
    """The result of the drift monitor, as a sentence. titles: of the networks."""
    scans = counted(drift.scans, "scan")
    if not drift.departing:
        return f"No drift: {scans} do not differ from those of the acceptance."
    networks = [titles.get(name, name) for name in drift.departing if name != ANSWERS]
    parts = [f"their appearance (novelty for {listed(networks)})"] if networks else []
    if ANSWERS in drift.departing:
        parts.append("the probabilities of a tumour")
    return (
        f"Drift: {scans} differ from those of the acceptance in {listed(parts)}. Scanner, protocol or mix of cases may "
        "have changed; repeat the acceptance."
    )


def _in_words(share: Share | None) -> str:
    return NO_VALUE if share is None else value_with_interval(share.value, (share.low, share.high), 0)


def _error(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.2f}"
