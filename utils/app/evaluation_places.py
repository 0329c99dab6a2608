"""The part of the Evaluation page about places: do the maps point at tumours, and do outlines lie on them?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from utils.app import panels, resources
from utils.charts import places
from utils.datasets.masks import read_mask
from utils.datasets.samples import data_folder, outlined_samples
from utils.evidence import outlines, overlays
from utils.networks.registry import NETWORKS, network_title, segmenters
from utils.networks.shipped import evidence_scale
from utils.records.explanations import ExplanationsRecord
from utils.results.records import load_explanations, load_outlines, model_colours
from utils.results.tables import places_table
from utils.scans.errors import UnreadableScan
from utils.scans.upload import read_scan_file
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    import numpy as np

    from utils.reading.reader import Reader

TOLD = ("best", "median", "worst")


def maps(folder: Path, protocol: str) -> None:
    """Whether the maps lie on the tumours. folder: the evaluations."""
    st.subheader("Where do the maps point?")
    found = {name: load_explanations(folder, name, protocol) for name in NETWORKS}
    records = {name: record for name, record in found.items() if record}
    if not records:
        st.info(
            "Not measured on this split. `python model.py evaluate --model cnn --explanations --data DIR` does it.",
            icon=":material/info:",
        )
        return
    titled = {network_title(name): record for name, record in records.items()}
    panels.chart_with_caption(
        places.pointing(titled, model_colours()),
        "Over scans whose tumour was outlined by a person: the map of the tumour's own class, whatever the network "
        "answered. No tolerance around the outline.",
    )
    with st.expander("How much of each map lies in the tumour, and whether it depends on what was learned"):
        st.dataframe(
            places_table(titled), hide_index=True, alt="Figures of each network's maps by method and class"
        )
        st.caption(
            "Energy: the share of the map in the tumour; over uniform: how many times that of a map even all over the "
            "head. Insertion (high is good) and deletion (low is good): the class's probability while the strongest "
            "places appear or vanish. Head shuffled: rank correlation with the map after the last layer's weights "
            "were shuffled; near 1, the map would not show what was learned. Healthy: the strongest tumour evidence "
            "on scans without tumour, as a share of the peak that a quarter of the tumour scans reach."
        )
        _map_gallery(folder, protocol, records)


def drawn_outlines(folder: Path, protocol: str) -> None:
    """How far the outlines of the segmentation network are right; nothing where it was not measured."""
    name = segmenters()[0]
    record = load_outlines(folder, name, protocol)
    if record is None:
        return
    st.subheader("Do the outlines lie on the tumours?")
    panels.chart_with_caption(
        places.outlines(record),
        "0 is no overlap, 1 is the very outline that a person drew. Sizes: thirds of the scans with a tumour.",
    )
    table = _table(folder / f"{name}--{protocol}.csv")
    segmenter = resources.segmenter()
    if table is None or segmenter is None:
        return
    tumours = table[table["tumor_pixels"] > 0]
    dice = 2 * tumours["overlap_pixels"] / (tumours["tumor_pixels"] + tumours["outline_pixels"])

    def draw(scan, row) -> np.ndarray:
        return outlines.drawn(scan.pixels, segmenter.outline(scan).contours)

    with st.expander("The best, the median and the worst"):
        _gallery(tumours.assign(measure=dice), "Dice", draw)


def _map_gallery(folder: Path, protocol: str, records: dict[str, ExplanationsRecord]) -> None:
    """Of each network's best method the best, the median and the worst map, by their share in the tumour."""
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
        _gallery(rows.assign(measure=rows["energy"]), "energy in the tumour", draw)


def _gallery(rows: pd.DataFrame, measure: str, draw) -> None:
    """Three scans with what was drawn on them and, in blue, the known outline; by name without the data folder."""
    ordered = rows.sort_values("measure", ascending=False)
    places = (0, len(ordered) // 2, len(ordered) - 1)
    known = outlined_samples(data_folder()).set_index(["source", "file"])
    for column, told, place in zip(st.columns(3), TOLD, places, strict=True):
        row = next(ordered.iloc[[place]].itertuples())
        words = f"{told}: {CLASS_TITLES.get(row.target, row.target)}, {measure} {row.measure:.2f}"
        try:
            sample = known.loc[(row.source, row.file)]
            scan = read_scan_file(sample.path)
            contours = outlines.contours(read_mask(sample["mask"], scan.shape) > 127)
            picture = outlines.with_contours(draw(scan, row), contours, outlines.KNOWN_COLOUR)
        except (KeyError, OSError, UnreadableScan):
            column.markdown(f"{words} ({row.source}/{row.file})")
            continue
        with column:
            panels.picture(
                picture, f"Test scan, {words}; the known outline in blue", f"{words}. Blue: the known outline"
            )


def _table(file: Path) -> pd.DataFrame | None:
    try:
        return pd.read_csv(file)
    except (OSError, ValueError):
        return None
