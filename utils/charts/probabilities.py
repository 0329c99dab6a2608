"""The class probabilities of one scan as a table with bars, in HTML: it stands on the page that must be fastest."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from utils.charts import titles
from utils.classes import CLASSES
from utils.wording import CLASS_TITLES, probability_in_percent, sentence_case

STYLE = """<style>
.probabilities {width: 100%; max-width: 34rem; border-collapse: collapse; font-size: 0.875rem; line-height: 1.2}
.probabilities th {font-weight: 400; text-align: left; padding: 0.2rem 0.5rem 0.2rem 0}
.probabilities td {padding: 0.2rem 0.4rem 0.2rem 0; font-variant-numeric: tabular-nums}
.probabilities thead th, .probabilities .highest {font-weight: 600}
.probabilities i {display: block; height: 5px; margin-top: 2px; background: rgb(128 128 128 / 25%)}
.probabilities b {display: block; height: 5px; min-width: 1px}
</style>"""


def probability_table(probabilities: Mapping[str, Sequence[float]], colours: Mapping[str, str]) -> str:
    """One row per class, one column per model: model title -> 4 probabilities (0..1) in CLASSES order.

    colours: of bars, by title of the model. The caption, which states the finding, is for screen readers.
    """
    head = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in probabilities)
    rows = "".join(
        f'<tr><th scope="row">{sentence_case(CLASS_TITLES[name])}</th>'
        + "".join(
            _cell(values, row, colours.get(title, "#888888")) for title, values in probabilities.items()
        )
        + "</tr>"
        for row, name in enumerate(CLASSES)
    )
    finding = html.escape(titles.reading(probabilities))
    return (
        f'{STYLE}<table class="probabilities" aria-label="Probabilities. {finding}"><thead><tr><th scope="col">'
        f"Probability</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _cell(values: Sequence[float], row: int, colour: str) -> str:
    value = values[row]
    highest = ' class="highest"' if value == max(values) else ""
    bar = f'<i><b style="width: {100 * value:.1f}%; background: {colour}"></b></i>'
    return f"<td{highest}>{html.escape(probability_in_percent(value))}{bar}</td>"
