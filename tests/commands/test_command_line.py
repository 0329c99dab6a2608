"""The command line that cards show."""

from __future__ import annotations

from utils.commands.command_line import without_paths


def test_paths_stay_out_of_the_command_line_on_a_card() -> None:
    typed = ["train", "--model", "vgg16", "--data", "/home/me/data", "--base-weights", "/home/me/vgg16.npz"]
    shown = without_paths(typed)
    assert shown == ["train", "--model", "vgg16", "--data", "DIR", "--base-weights", "vgg16.npz"]
    assert without_paths(["evaluate", "--data=/home/me/data"]) == ["evaluate", "--data", "DIR"]
    two = ["train", "--teacher", "/home/me/cnn.keras", "runs/mobilenetv2.keras", "--restart"]
    assert without_paths(two) == [
        "train",
        "--teacher",
        "cnn.keras",
        "mobilenetv2.keras",
        "--restart",
    ]
