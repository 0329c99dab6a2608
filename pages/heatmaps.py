"""Heatmaps: saliency maps of one scan by model, method and class."""

from utils.app import evidence_panels, heatmap_panels, panels, session


def main() -> None:
    entry = panels.scan_picker(session.need_scans())
    is_shown = panels.notices(entry)
    if is_shown or any(map(session.predictions_shown, entry.slices)):
        heatmap_panels.study(entry, is_shown)
    else:
        evidence_panels.linked_views(entry, "heatmaps", None, layout=1)


session.enter()
session.need_networks()
main()
