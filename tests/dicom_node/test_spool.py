"""The spool: what was accepted stays on the disk through every step, whenever the process ends, and counts once."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.support.dicom_peers import quick_result, slices
from utils.dicom_node import spool as module
from utils.dicom_node.spool import SeriesTooLarge, Spool, SpoolError, SpoolFull

Bring = Callable[..., bool]


@pytest.fixture
def spool(tmp_path: Path):
    spool = Spool(tmp_path / "spool", version="first")
    yield spool
    spool.close()


def bring(spool: Spool, number: int = 0, key: str = "series") -> bool:
    """A slice arrives, as a file of its own."""
    file = spool.incoming / f"transfer{number}"
    slices(number + 1)[number].save_as(file)
    return spool.accept(file, key)


def killed(spool: Spool, folder: Path, version: str = "first") -> Spool:
    """What another process finds after this one was killed now: the folder as it is."""
    shutil.copytree(spool.folder, folder)
    return Spool(folder, version=version)


def images(spool: Spool) -> list[str]:
    """The names of all images in the spool."""
    return sorted(file.name for file in spool.folder.rglob("*.dcm") if file.parent.name != "results")


def test_series_that_is_quiet_becomes_a_batch_and_its_images_are_kept_until_it_is_finished(
    spool: Spool,
) -> None:
    assert [bring(spool, number) for number in range(3)] == [True] * 3
    assert spool.seal(quiet=60) == [] and spool.next_unread() is None
    (batch,) = spool.seal(quiet=0)
    assert spool.next_unread() == batch and len(batch.images) == 3 and spool.open_series == 0
    assert spool.next_unsent() is None
    spool.put_results(batch, [quick_result(batch.images)])
    assert spool.next_unread() is None and spool.next_unsent() == batch
    assert len(batch.images) == 3
    spool.finish(batch)
    assert images(spool) == [] and spool.bytes == 0 and spool.waiting == 0


def test_accepted_images_survive_a_kill_at_every_step(spool: Spool, tmp_path: Path) -> None:
    for number in range(2):
        bring(spool, number)
    names = images(spool)
    other = killed(spool, tmp_path / "arriving")
    assert other.open_series == 1 and images(other) == names and other.bytes == spool.bytes
    assert other.seal(quiet=60) == []  # quiet only from the start of this process on
    (batch,) = spool.seal(0)
    other = killed(spool, tmp_path / "sealed")
    found = other.next_unread()
    assert found is not None and [image.name for image in found.images] == names
    (batch.folder / "results.unfinished").mkdir()  # killed while the results were written
    assert killed(spool, tmp_path / "unfinished").next_unsent() is None
    spool.put_results(batch, [quick_result(batch.images)])
    other = killed(spool, tmp_path / "read")
    unsent = other.next_unsent()
    assert other.next_unread() is None and unsent is not None and len(unsent.results or []) == 1
    assert other.bytes == spool.bytes


def test_transfers_and_deletions_of_a_killed_process_are_cleared_away(spool: Spool, tmp_path: Path) -> None:
    (spool.incoming / "half").write_bytes(b"half an image")
    (spool.folder / "done" / "1").mkdir()
    other = killed(spool, tmp_path / "other")
    assert list(other.incoming.iterdir()) == [] == list((other.folder / "done").iterdir())


def test_image_that_comes_again_is_acknowledged_and_counts_once(spool: Spool, tmp_path: Path) -> None:
    assert bring(spool) and not bring(spool)  # still arriving
    (batch,) = spool.seal(0)
    assert not bring(spool)  # waiting to be read
    spool.put_results(batch, [quick_result(batch.images)])
    spool.finish(batch)
    assert not bring(spool)  # read and sent
    assert spool.open_series == 0 and images(spool) == []
    assert not bring(killed(spool, tmp_path / "same"))
    assert bring(killed(spool, tmp_path / "newer", version="second"))  # other networks read it again


def test_series_without_results_may_be_sent_again(spool: Spool) -> None:
    bring(spool)
    (batch,) = spool.seal(0)
    spool.put_results(batch, [])
    spool.finish(batch)
    assert bring(spool)


def test_late_images_are_a_batch_of_their_own(spool: Spool) -> None:
    bring(spool, 0)
    (first,) = spool.seal(0)
    bring(spool, 1)
    (second,) = spool.seal(0)
    assert second.number > first.number and len(first.images) == len(second.images) == 1
    assert spool.next_unread() == first


def test_batch_that_ends_the_process_again_and_again_does_not_block_the_others(spool: Spool) -> None:
    bring(spool, 0)
    (poison,) = spool.seal(0)
    bring(spool, 1)
    (good,) = spool.seal(0)
    spool.begin(poison)
    assert spool.next_unread() == good and poison.attempts == 1
    spool.postpone(poison)
    assert spool.next_unread() == poison


def test_batch_put_aside_is_kept_for_a_person_and_its_images_may_come_again(spool: Spool) -> None:
    bring(spool)
    (batch,) = spool.seal(0)
    spool.put_aside(batch)
    assert spool.waiting == 0 and spool.bytes == 0 and len(images(spool)) == 1
    assert bring(spool)


def test_results_are_stored_all_or_none(spool: Spool) -> None:
    bring(spool)
    (batch,) = spool.seal(0)
    with pytest.raises(ValueError):
        spool.put_results(batch, [quick_result(batch.images), Dataset()])  # the second cannot be written
    assert batch.results is None and spool.next_unread() == batch
    spool.put_results(batch, [quick_result(batch.images)])
    assert len(batch.results or []) == 1


def test_full_spool_takes_nothing_more(spool: Spool) -> None:
    bring(spool)
    spool.limit = spool.bytes
    assert spool.is_full
    with pytest.raises(SpoolFull):
        bring(spool, 1)
    assert not bring(spool), "an image that is there already is acknowledged"
    assert len(images(spool)) == 1


def test_full_disk_takes_nothing_more(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SMALLEST_FREE_DISK", shutil.disk_usage(spool.folder).total)
    with pytest.raises(SpoolFull):
        bring(spool)
    assert images(spool) == []


def test_series_beyond_the_limits_takes_nothing_more(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 2)
    bring(spool, 0), bring(spool, 1)
    with pytest.raises(SeriesTooLarge):
        bring(spool, 2)
    assert bring(spool, 2, key="another")
    monkeypatch.setattr(module, "LARGEST_UNPACKED", 10)
    with pytest.raises(SeriesTooLarge):
        bring(spool, 3, key="third")


def test_folder_is_private_and_used_by_one_process(spool: Spool, tmp_path: Path) -> None:
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    with pytest.raises(SpoolError, match="used by another node"):
        Spool(spool.folder)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SpoolError, match="choose another --spool"):
        Spool(tmp_path / "file" / "spool")


def test_dead_transfers_are_swept_away(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    (spool.incoming / "dead").write_bytes(b"half an image")
    spool.sweep()
    assert len(list(spool.incoming.iterdir())) == 1
    monkeypatch.setattr(module, "OLDEST_TRANSFER", -10)
    spool.sweep()
    assert list(spool.incoming.iterdir()) == []
