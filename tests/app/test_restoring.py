"""What the process holds for a tab that is reloaded: for its user only, and not for long."""

from __future__ import annotations

import time

import pytest

from utils.app.restoring import HELD_MINUTES, KEPT, Held, Holder


def held(user: str = "", age: float = 0.0) -> Held:
    return Held({"worklist": {"key": "entry"}}, time.monotonic() - age, user)


def test_a_worklist_is_held_for_its_token_and_user() -> None:
    holder = Holder()
    holder.put("token", kept := held("anna"))
    assert holder.get("token", "anna") is kept
    assert holder.get("token", "bert") is None and holder.get("other", "anna") is None
    holder.forget("token")
    assert holder.get("token", "anna") is None


@pytest.mark.parametrize(("minutes", "is_there"), [(HELD_MINUTES - 1, True), (HELD_MINUTES + 1, False)])
def test_it_is_dropped_after_its_time(minutes: float, is_there: bool) -> None:
    holder = Holder()
    holder.put("token", held(age=60 * minutes))
    holder.drop_old()
    assert (holder.get("token", "") is not None) == is_there


def test_headers_of_files_are_not_held() -> None:
    assert not [name for name in KEPT if "header" in name]
