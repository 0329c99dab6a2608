"""The part of the Evaluation page about finer types: 44 classes, measured where patients may mix and where not."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from utils.app import panels
from utils.charts import performance
from utils.datasets.protocols import PROTOCOLS
from utils.reading import subtypes
from utils.results.records import load_subtypes

PARTS = {"test": "Test", "validation": "Validation"}


def finer_types(folder: Path) -> None:
    """How often the networks of finer types are right; nothing where none was measured. folder: the evaluations."""
    titles = {protocol.name: protocol.title for protocol in PROTOCOLS.values() if protocol.has_subtypes}
    records = load_subtypes(folder, PROTOCOLS.values())
    if not records:
        return
    st.subheader("And the finer types? (experimental)")
    with st.container(horizontal=True, gap="large"):
        protocol = st.segmented_control(
            "Split of the 44 classes",
            [name for name in titles if any(name == one for one, _ in records)],
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
    names = [subtypes.class_title(name) for name in record.classes]
    panels.chart_with_caption(
        performance.confusion_of_many(record.confusion, names),
        f"Type and sequence, of {len(names)}; rows are the truth, columns the answer. The right one is among the three "
        f"likeliest on {100 * record.top_3_accuracy:.0f} %. Where images are split at random, pictures of one "
        "patient stand on both sides: that figure compares with those of others and promises nothing for a new "
        "patient.",
    )
