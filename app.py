"""Entry point of the app. `streamlit run app.py` imports the server from here once; each session runs this file."""

import streamlit as st

from utils.app import access

# The content begins below the navigation, and the disclaimer stands in it where there is room. What has the keyboard's
# focus is seen on every theme.
STYLE = """
.stMainBlockContainer {padding-top: 4.25rem}
:is(a, button, summary, [role=button], [tabindex]):focus-visible {
  outline: 3px solid var(--st-primary-color, #0F766E) !important; outline-offset: 2px}
.stMainBlockContainer > .stVerticalBlock > :is(.st-key-tab, .st-key-shortcuts, .st-key-button-keys) {
  position: absolute; left: 0}
.stMainBlockContainer > .stVerticalBlock > :is(:has(.st-key-tab), :has(.st-key-shortcuts)) {
  position: absolute; left: 0}
.stVerticalBlock > :has(> :is(.st-key-neighbours, .st-key-thumbnails)) {position: absolute; left: 0; width: 0}
.js-plotly-plot :is(.xtick text, .ytick text, .xtitle, .ytitle, .legendtext, .bartext-outside, .textpoint text) {
  fill: currentColor !important}
.js-plotly-plot .heatmap-label text[style*="rgb(68, 68, 68)"] {fill: black !important}
.stMarkdown [role=region] td {min-width: 4rem}
.stMarkdown [role=region] td:first-child {min-width: 8rem}
.stMarkdown td code {overflow-wrap: anywhere}
@media (min-width: 1350px) {
  .stMainBlockContainer > .stVerticalBlock > :has(.st-key-disclaimer) {position: absolute}
  .st-key-disclaimer {position: fixed; top: 0; right: 9rem; height: 3.75rem; width: auto; justify-content: center;
    z-index: 999991; pointer-events: none}
}
"""


def main() -> None:
    """Page config, navigation, warm-up. No logic."""
    from utils.app import (
        pacs,
        resources,
        restoring,
        shortcuts,
    )  # after the server has started: its caches belong to the server

    st.set_page_config(page_title="Brain MRI reader", page_icon="🧠", layout="wide")
    access.need_login()
    archive = [st.Page("pages/pacs.py", title="PACS", icon=":material/dns:")] if pacs.is_configured() else []
    page = st.navigation(
        [
            st.Page("pages/read.py", title="Read", icon=":material/radiology:", default=True),
            *archive,
            st.Page("pages/volume.py", title="Volume", icon=":material/stacks:"),
            st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
            st.Page("pages/heatmaps.py", title="Heatmaps", icon=":material/layers:"),
            st.Page("pages/cases.py", title="Cases", icon=":material/fact_check:"),
            st.Page("pages/evaluation.py", title="Evaluation", icon=":material/monitoring:"),
            st.Page("pages/acceptance.py", title="Acceptance", icon=":material/verified:"),
            st.Page("pages/about.py", title="About", icon=":material/info:"),
        ],
        position="top",
    )
    st.html(f"<style>{STYLE}</style>")
    access.log_out_button()
    with st.container(key="disclaimer"):
        st.caption("Research and education only. Not a medical device: nothing here is a diagnosis.")
    restoring.hold()
    shortcuts.sheet()
    page.run()
    shortcuts.list_buttons()
    resources.warm_up()


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, middleware=access.prepare(), lifespan=access.lifespan)
