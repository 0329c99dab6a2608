"""Result files are tried before the work, and written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from utils.commands import outputs
from utils.commands.errors import CommandError


def test_an_output_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(CommandError, match="cannot be written"):
        outputs.check_output_folder(tmp_path / "file" / "below")
    with pytest.raises(IsADirectoryError):
        outputs.check_output_file(tmp_path)
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    with pytest.raises(CommandError, match="write-protected"):
        outputs.check_output_file(tmp_path / "file")


def test_trying_an_output_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("old")
    outputs.check_output_file(tmp_path / "old.json")
    outputs.check_output_file(tmp_path / "new" / "file.json")
    assert (tmp_path / "old.json").read_text() == "old" and not (tmp_path / "new").exists()
    outputs.write_whole(tmp_path / "new" / "below" / "file", b"all")


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt), outputs.whole_text_file(file) as stream:
        stream.write("half")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and len(list(tmp_path.iterdir())) == 1
    with outputs.whole_text_file(file) as stream:
        stream.write("new")
    outputs.write_whole(tmp_path / "bytes", b"all")
    assert file.read_text() == "new" and (tmp_path / "bytes").read_bytes() == b"all"


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    outputs.write_whole(link, b"all")
    assert link.is_symlink() and (tmp_path / "target").read_bytes() == b"all"
    with outputs.whole_text_file(Path(os.devnull)) as stream:
        stream.write("gone")
    assert not Path(os.devnull).is_file()
