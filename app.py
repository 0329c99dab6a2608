"""Entry point of the app. `streamlit run app.py` imports the server from here once; each session runs this file."""

import streamlit as st

from utils.app import access


def main() -> None:
    """Page config, navigation, warm-up. No logic."""
    from utils.app import pacs, resources  # after the server has started: its caches belong to the server

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
            st.Page("pages/about.py", title="About", icon=":material/info:"),
        ],
        position="top",
    )
    st.html("<style>.stMainBlockContainer {padding-top: 4rem}</style>")  # keeps the scan above the fold
    access.log_out_button()
    st.caption("Research and education only. Not a medical device: nothing here is a diagnosis.")
    page.run()
    resources.warm_up()


if __name__ == "__main__":
    main()
else:
    app = st.App(__file__, middleware=access.prepare(), lifespan=access.lifespan)
