"""The part of the Evaluation page about subtypes."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from utils.app import panels
from utils.charts import performance
from utils.datasets.protocols import PROTOCOLS
from utils.reading.subtypes import class_title
from utils.results.records import load_subtypes
from utils.wording import percent

PARTS = {"test": "Test", "validation": "Validation"}


def subtypes(folder: Path) -> None:
    """The accuracy of the subtype networks; nothing where none was evaluated. folder: the evaluation records."""
    titles = {protocol.name: protocol.title for protocol in PROTOCOLS.values() if protocol.has_subtypes}
    records = load_subtypes(folder, PROTOCOLS.values())
    if not records:
        return
    st.subheader("Subtypes (experimental)")
    with st.container(horizontal=True, gap="large"):
        protocol = st.segmented_control(
            "Split of the subtypes",
            [name for name in titles if any(name == evaluated for evaluated, _ in records)],
            default=next(iter(records))[0],
            required=True,
            format_func=titles.__getitem__,
        )
        parts = [part for part in PARTS if (protocol, part) in records]
        part = st.segmented_control(
            "Part",
            parts,
            default=parts[0],
            required=True,
            format_func=PARTS.__getitem__,
            key=f"part {protocol}",
        )
    record = records[protocol, part]
    names = [class_title(name) for name in record.classes]
    panels.chart_with_caption(
        performance.confusion_of_many(record.confusion, names),
        f"{len(names)} subtypes with sequence. Rows: reference, columns: predicted. Top-3 accuracy: "
        f"{percent(record.top_3_accuracy)}. {PROTOCOLS[protocol].meaning}",
    )
