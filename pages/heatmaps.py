"""Heatmaps: study the evidence on one scan, by network, method and class."""

from utils import evidence_panels, panels, ui


def main() -> None:
    entry = panels.scan_picker(ui.need_scans())
    if panels.pass_gate(entry):
        evidence_panels.study(entry)


ui.enter()
ui.need_networks()
main()
