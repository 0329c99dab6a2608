"""`model.py train`: interrupted runs, teachers and initial checkpoints."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.commands.steps import FOLDER, Run, one_sentence
from utils.commands.errors import CommandError
from utils.commands.run_folder import check_checkpoint
from utils.datasets.protocols import protocol_named
from utils.networks.cards import Card
from utils.training import batches, loop


def test_interrupted_run_with_other_options_is_not_resumed(run: Run, class_folders, monkeypatch) -> None:
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", stop)
    (Path("runs") / "folder" / "cnn").mkdir(parents=True)
    other = {"model": "cnn", "protocol": "folder", "seed": "1"}
    (Path("runs") / "folder" / "cnn" / "arguments.json").write_text(json.dumps(other))
    error = one_sentence(*run("train", *FOLDER, class_folders))
    assert "--restart" in error and "unfinished" in error
    for restart in (["--restart"], []):  # then it is the run of these options
        assert run("train", *FOLDER, class_folders, *restart)[0] == 130


def test_interrupted_run_is_resumed(
    run: Run, small_recipe, quick_cnn, class_folders, models_copy, monkeypatch
) -> None:
    from utils.training import release

    stopped = release.release

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(release, "release", stop)
    assert run("train", *FOLDER, class_folders)[0] == 130
    assert Path("runs/folder/cnn/state.json").is_file()
    monkeypatch.setattr(release, "release", stopped)
    monkeypatch.setattr(batches.TrainingSet, "epoch_rows", None)  # both epochs are finished
    assert run("train", *FOLDER, class_folders)[0] == 0
    assert (models_copy / "experiments" / "folder" / "cnn.keras").is_file()


@pytest.mark.parametrize(
    ("option", "role"), [("--teacher", "teacher"), ("--base-weights", "initial checkpoint")]
)
def test_teachers_and_checkpoints_that_may_know_test_images_are_refused(
    run: Run, class_folders: Path, tiny_models: Path, option: str, role: str
) -> None:
    weights = tiny_models / "cnn.keras"  # of the patient-disjoint protocol
    arguments = ("--model", "cnn", "--protocol", "folder", "--data", class_folders, option, weights)
    error = one_sentence(*run("train", *arguments))
    assert f"The {role} was trained under the patient-disjoint protocol" in error


@pytest.mark.parametrize(
    ("protocol", "sources", "new_protocol", "knows_test_images"),
    [
        ("patient-disjoint", ["nickparvar"], "patient-disjoint", False),
        ("patient-disjoint", ["nickparvar"], "leave-one-source-out-lgg", False),
        ("patient-disjoint", ["lgg", "nickparvar"], "leave-one-source-out-lgg", True),
        ("published", ["nickparvar"], "leave-one-source-out-lgg", True),
        ("leave-one-source-out-lgg", ["nickparvar"], "patient-disjoint", False),
        ("leave-one-source-out-lgg", ["feltrin44"], "leave-one-source-out-feltrin44", True),
        ("published", ["nickparvar"], "patient-disjoint", True),
        ("patient-disjoint", ["feltrin44", "nickparvar"], "feltrin44", False),
        ("patient-disjoint", ["feltrin44", "nickparvar"], "feltrin44-random", True),
        ("leave-one-source-out-feltrin44", ["nickparvar"], "feltrin44-random", False),
        ("feltrin44-random", ["feltrin44"], "feltrin44", True),
        ("patient-disjoint", ["nickparvar"], "published-random", True),
        ("patient-disjoint", ["nickparvar"], "sartaj", True),
    ],
)
def test_a_checkpoint_may_know_no_test_image(protocol, sources, new_protocol, knows_test_images) -> None:
    card = Card(
        name="cnn",
        task="four-class",
        classes=(),
        input_size=224,
        evidence_layer="",
        temperature=1.0,
        weights_sha256="",
        protocol=protocol,
        sources=tuple(sources),
    )
    refused = (
        pytest.raises(CommandError, match="may know test images") if knows_test_images else nullcontext()
    )
    with refused:
        check_checkpoint("teacher", card, protocol_named(new_protocol))


def test_missing_base_weights_are_an_error(run: Run, class_folders: Path, tmp_path: Path) -> None:
    arguments = ("--model", "vgg16", "--protocol", "folder", "--data", class_folders)
    code, _, errors = run("train", *arguments, "--base-weights", tmp_path / "nowhere.npz")
    assert code == 2 and "nowhere.npz" in errors.strip().splitlines()[-1]
