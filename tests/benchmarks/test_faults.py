"""The fault runs of benchmarks/faults, small."""

from __future__ import annotations

from benchmarks.faults.kills import kill_again_and_again


def test_no_acknowledged_image_is_lost_and_none_read_twice_when_the_node_is_killed() -> None:
    outcome = kill_again_and_again(3)
    assert outcome.acknowledged > 0 and outcome.results > 0
    assert (outcome.lost, outcome.twice) == (0, 0)
