"""The door: page config, navigation, warm-up. `streamlit run app.py`."""

import streamlit as st

from utils import ui

st.set_page_config(page_title="Brain MRI reader", page_icon="🧠", layout="wide")

page = st.navigation(
    [
        st.Page("pages/read.py", title="Read", icon=":material/radiology:", default=True),
        st.Page("pages/volume.py", title="Volume", icon=":material/stacks:"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("pages/heatmaps.py", title="Heatmaps", icon=":material/layers:"),
        st.Page("pages/evaluation.py", title="Evaluation", icon=":material/monitoring:"),
        st.Page("pages/about.py", title="About", icon=":material/info:"),
    ],
    position="top",
)
st.html("<style>.stMainBlockContainer {padding-top: 4rem}</style>")  # the scan belongs above the fold
st.caption("Research and education only. Not a medical device: nothing here is a diagnosis.")
page.run()
ui.warm_up()
