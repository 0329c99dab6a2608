"""The part of the Evaluation page about localisation: saliency maps and outlines against reference segmentations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from utils.app import panels, resources
from utils.charts import localisation
from utils.datasets.masks import read_mask
from utils.datasets.samples import data_folder, outlined_samples
from utils.evidence import outlines, overlays
from utils.networks.registry import NETWORKS, network_title, segmenters
from utils.networks.shipped import evidence_scale
from utils.records.explanations import ExplanationsRecord
from utils.results.records import load_explanations, load_outlines
from utils.results.tables import places_table
from utils.results.titles import model_colours
from utils.scans.errors import UnreadableScan
from utils.scans.upload import read_scan_file
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    import numpy as np

    from utils.reading.reader import Reader

RANKS = ("best", "median", "worst")


def saliency_maps(folder: Path, protocol: str) -> None:
    """Whether the maps point at tumours. folder: the evaluation records."""
    st.subheader("Localisation by saliency maps")
    loaded = {name: load_explanations(folder, name, protocol) for name in NETWORKS}
    records = {name: record for name, record in loaded.items() if record}
    if not records:
        st.info(
            "Not measured on this split. To measure it, run "
            "`python model.py evaluate --model cnn --explanations --data DIR`.",
            icon=":material/info:",
        )
        return
    titled = {network_title(name): record for name, record in records.items()}
    panels.chart_with_caption(
        localisation.pointing(titled, model_colours()),
        "Test scans with a reference segmentation; map of the reference class, whatever the model predicts. No "
        "tolerance around the reference segmentation.",
    )
    with st.expander("Energy, faithfulness and randomisation test of each map"):
        st.dataframe(
            places_table(titled), hide_index=True, alt="Figures of the maps of each model by method and class"
        )
        st.caption(
            "Energy: share of the map inside the tumour; over uniform: ratio to a map that is uniform over the head. "
            "Insertion (higher is better) and deletion (lower is better): probability of the class while the most "
            "salient regions are added or removed. Head shuffled: rank correlation with the map after the weights of "
            "the last layer were shuffled; near 1, the map would not depend on training. Healthy: peak activation for "
            "a tumour on scans without tumour, relative to the peak that a quarter of the tumour scans reach."
        )
        _map_gallery(folder, protocol, records)


def tumor_outlines(folder: Path, protocol: str) -> None:
    """How well outlines fit the reference segmentations; nothing where it was not measured."""
    name = segmenters()[0]
    record = load_outlines(folder, name, protocol)
    if record is None:
        return
    st.subheader("Tumour outlines")
    panels.chart_with_caption(
        localisation.outlines(record),
        "Dice (0-1) with the reference segmentation. Sizes: thirds of the scans with tumour.",
    )
    table = _table(folder / f"{name}--{protocol}.csv")
    segmenter = resources.segmenter()
    if table is None or segmenter is None:
        return
    tumors = table[table["tumor_pixels"] > 0]
    dice = 2 * tumors["overlap_pixels"] / (tumors["tumor_pixels"] + tumors["outline_pixels"])

    def draw(scan, row) -> np.ndarray:
        return outlines.drawn(scan.pixels, segmenter.outline(scan).contours)

    with st.expander("Best, median and worst outline"):
        _gallery(tumors.assign(measure=dice), "Dice", draw)


def _map_gallery(folder: Path, protocol: str, records: dict[str, ExplanationsRecord]) -> None:
    """The best, median and worst map of the best method of each network, by energy."""
    if resources.network_problems():
        return
    readers: dict[str, Reader] = {reader.card.name: reader for reader in resources.readers()}
    for name, record in records.items():
        table = _table(folder / f"{name}--{protocol}--explanations.csv")
        reader = readers.get(name)
        if table is None or reader is None or reader.card.version != record.weights_sha256:
            continue
        measured = {method: figures.tumors.pointing or 0 for method, figures in record.methods.items()}
        method = max(measured, key=measured.__getitem__)
        rows = table[(table["method"] == method) & table["energy"].notna()]

        def draw(scan, row, reader=reader, method=method) -> np.ndarray:
            reading = reader.explain(scan, reader.read(scan), method)
            return overlays.overlay(scan.pixels, reading.strength(row.target, evidence_scale(method)), 0.8)

        st.markdown(f"**{network_title(name)}, {record.methods[method].title}**")
        _gallery(rows.assign(measure=rows["energy"]), "energy inside the tumour", draw)


def _gallery(rows: pd.DataFrame, measure: str, draw) -> None:
    """Three scans with map or outline and, in blue, the reference segmentation; names only without the data folder."""
    ordered = rows.sort_values("measure", ascending=False)
    positions = (0, len(ordered) // 2, len(ordered) - 1)
    samples = outlined_samples(data_folder()).set_index(["source", "file"])
    for column, rank, position in zip(st.columns(3), RANKS, positions, strict=True):
        row = next(ordered.iloc[[position]].itertuples())
        caption = f"{rank}: {CLASS_TITLES.get(row.target, row.target)}, {measure} {row.measure:.2f}"
        try:
            sample = samples.loc[(row.source, row.file)]
            scan = read_scan_file(sample.path)
            contours = outlines.contours(read_mask(sample["mask"], scan.shape) > 127)
            image = outlines.with_contours(draw(scan, row), contours, outlines.KNOWN_COLOUR)
        except (KeyError, OSError, UnreadableScan):
            column.markdown(f"{caption} ({row.source}/{row.file})")
            continue
        with column:
            panels.image(
                image,
                f"Test scan, {caption}; reference segmentation in blue",
                f"{caption}. Blue: reference segmentation",
            )


def _table(file: Path) -> pd.DataFrame | None:
    try:
        return pd.read_csv(file)
    except (OSError, ValueError):
        return None
