"""What `make evaluation` can and cannot measure again."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.accuracy.stored_figures import largest_difference, unshipped


@pytest.mark.parametrize("model", ["cnn", "1-nn"])  # the record of 1-NN names the network's command
def test_networks_without_weights_are_not_measured(tmp_path: Path, model: str) -> None:
    command = "python model.py evaluate --model cnn --protocol sartaj --data DIR"
    record = {"model": model, "protocol": "sartaj", "command": command}
    assert unshipped(record, tmp_path) is None
    card = tmp_path / "experiments" / "sartaj" / "cnn.json"
    card.parent.mkdir(parents=True)
    card.write_text("{}")
    assert unshipped(record, tmp_path) == card
    card.with_suffix(".keras").touch()
    assert unshipped(record, tmp_path) is None
    assert (
        unshipped({"command": "python -m benchmarks.accuracy.out_of_distribution --data DIR"}, tmp_path)
        is None
    )


def test_largest_difference_between_two_records() -> None:
    assert largest_difference({"a": [1.0, {"b": 2}], "only": 9}, {"a": [1.5, {"b": 2}]}) == 0.5
