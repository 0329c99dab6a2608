"""What the app changes of Streamlit."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests
from streamlit.runtime.state import SessionState
from streamlit.runtime.state.safe_session_state import SafeSessionState

from utils.app.streamlit_internals import lose_no_action


@pytest.fixture(autouse=True)
def _changed() -> None:
    lose_no_action()


def request(page: str, **texts: str) -> RerunData:
    states = [WidgetState(id=name, string_value=text) for name, text in texts.items()]
    return RerunData(widget_states=WidgetStates(widgets=states), page_script_hash=page)


def test_value_given_just_before_a_page_change_is_kept() -> None:
    requests = ScriptRequests()
    requests.request_rerun(request("read", comment="a small one", initials="A"))
    requests.request_rerun(request("read", comment="a small lesion"))
    requests.request_rerun(request("cases"))
    joined = requests.on_scriptrunner_ready().rerun_data
    assert joined.page_script_hash == "cases"
    assert joined.widget_states is not None
    values = [(state.id, state.string_value) for state in joined.widget_states.widgets]
    assert sorted(values) == [("comment", "a small lesion"), ("initials", "A")]


def test_no_request_ends_a_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Requested(Exception):
        pass

    def look_for_request() -> None:
        raise Requested

    state = SafeSessionState(SessionState(), look_for_request)

    def callback(*_: Any, **__: Any) -> None:
        state["reviews"] = {"scan": "unsure"}

    monkeypatch.setattr(SessionState, "on_script_will_rerun", callback)
    state.on_script_will_rerun(WidgetStates())
    assert state.filtered_state == {"reviews": {"scan": "unsure"}}
    with pytest.raises(Requested):  # the script itself looks for requests as before
        state["page"] = 1
