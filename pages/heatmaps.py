"""Heatmaps: study the evidence on one scan, by network, method and class."""

from utils.app import evidence_panels, panels, session


def main() -> None:
    entry = panels.scan_picker(session.need_scans())
    if panels.pass_gate(entry):
        evidence_panels.study(entry)


session.enter()
session.need_networks()
main()
