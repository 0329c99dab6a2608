"""`model.py archive-report`: what a run over an archive gave, as a table and an HTML page."""

from __future__ import annotations

import argparse
import html
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from utils.commands.outputs import check_output_file, whole_text_file
from utils.reading.worklist import STATUS_TITLES
from utils.wording import CLASS_TITLES, percent

if TYPE_CHECKING:
    from utils.archive.report import Report
    from utils.records.acceptance import SiteProfile

SUMMARY = "Summarise the output of `archive`: answers, grades, refusal reasons, drift of the novelty score."
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]  # title, column names, rows
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Archive report</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; margin-bottom: 2rem }}
th, td {{ border-bottom: 1px solid #ccc; padding: .2rem 1.2rem .2rem 0; text-align: left; vertical-align: top }}
td + td, th + th {{ text-align: right; white-space: nowrap }}
</style></head><body><h1>Archive report</h1><p>For research and education, not for diagnosis.</p>
{body}
</body></html>
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the output folder of `archive`")
    parser.add_argument("--html", type=Path, help="the page (default: DIR/report.html)")


def run(args: argparse.Namespace) -> int:
    from utils.archive.report import read_report

    report = read_report(args.folder)
    page = args.html or args.folder / "report.html"
    check_output_file(page)
    tables = list(_tables(report))
    print("\n\n".join(map(_as_text, tables)))
    with whole_text_file(page) as stream:
        stream.write(PAGE.format(body="\n".join([*map(_as_html, tables), *_charts(report)])))
    return 0


def _tables(report: Report) -> Iterator[Table]:
    run = report.run
    facts: list[tuple[str, ...]] = [
        ("finished shards", f"{report.shards:,} of {run.shards:,}"),
        ("rows", f"{report.rows:,}"),
        ("accepted", _with_share(report.accepted, report.rows)),
        ("runtime", run.runtime),
        *([("site profile", run.site_profile.title)] if run.site_profile else []),
        *((f"network {name}", version[:12]) for name, version in run.models.items()),
    ]
    yield "Run", ("", ""), facts
    yield "Answers", ("answer", "scans"), _counted(_in_words(report.counts["answer"]), report.accepted)
    grades = report.counts["grade"]
    yield (
        "Grades of the out-of-distribution detector",
        ("grade", "scans"),
        _counted(grades, sum(grades.values())),
    )
    yield "Refusals", ("reason", "rows"), _counted(report.counts["reason"], report.rows)
    yield (
        "Drift of the novelty score",
        ("network", "scans", "above unusual", "validation", "above refused", "validation"),
        [
            (
                drift.network, f"{drift.n:,} ({drift.validation.n:,} of validation)",
                percent(drift.share_above_unusual, 2), percent(drift.validation.share_above_unusual, 2),
                percent(drift.share_above_refused, 2), percent(drift.validation.share_above_refused, 2),
            )
            for drift in report.drifts
        ],
    )  # fmt: skip
    if run.site_profile:
        yield "Drift from the acceptance", ("", ""), [_drift(report, run.site_profile)]


def _drift(report: Report, profile: SiteProfile) -> tuple[str, str]:
    """What the drift monitor says of all scans, and of how many."""
    from utils.acceptance.drift import LOOKS, drift_of_all
    from utils.acceptance.words import drift_in_words
    from utils.results.titles import MODEL_TITLES

    scans = min((len(values) for values in report.scans.values()), default=0)
    drift = drift_of_all(profile.distributions, report.scans)
    if drift is None:
        return f"{scans:,} scans", f"Not tested: the test takes {LOOKS[0]} scans."
    return f"{scans:,} scans", drift_in_words(drift, MODEL_TITLES)


def _in_words(answers: Mapping[str, int]) -> dict[str, int]:
    titles = CLASS_TITLES | {name: title.lower() for name, title in STATUS_TITLES.items()}
    return {titles[name]: count for name, count in answers.items()}


def _counted(counts: Mapping[str, int], total: int) -> list[tuple[str, ...]]:
    return [(name, _with_share(count, total)) for name, count in counts.items()]


def _with_share(count: int, total: int) -> str:
    return f"{count:,} ({percent(count / max(total, 1), 1)})"


def _as_text(table: Table) -> str:
    title, names, rows = table
    lines = [names, *rows] if any(names) else rows
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([title, *(texts if rows else ["none"])])


def _as_html(table: Table) -> str:
    title, names, rows = table
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names) if any(names) else ""
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<h2>{html.escape(title)}</h2>\n<table><tr>{head}</tr>{body or '<tr><td>none</td></tr>'}</table>"


def _charts(report: Report) -> Iterator[str]:
    """The charts as HTML; the first brings plotly, so that the page needs no network."""
    from utils.archive.report import BINS
    from utils.charts.archive import answers, novelty_histogram

    figures = [answers(_in_words(report.counts["answer"]))]
    for drift in report.drifts:
        validation = drift.validation
        shares = drift.share_above_unusual, validation.share_above_unusual
        refused = validation.refused / max(validation.unusual, 1e-9)
        figures.append(novelty_histogram(drift.network, drift.histogram, BINS, refused, shares))
    for number, figure in enumerate(figures):
        yield figure.to_html(full_html=False, include_plotlyjs=number == 0)
