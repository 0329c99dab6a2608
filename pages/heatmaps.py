"""Heatmaps: saliency maps of one scan by model, method and class."""

from utils.app import evidence_panels, panels, session


def main() -> None:
    entry = panels.scan_picker(session.need_scans())
    if panels.shows_predictions(entry):
        evidence_panels.study(entry)


session.enter()
session.need_networks()
main()
