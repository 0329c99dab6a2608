"""A spool on a disk that is really full: what was acknowledged is kept, read and sent once there is room."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.dicom_peers import Archive, NodeProcess, running, send, send_until_taken, slices

SIDE = 500  # pixels: 0.5 MB an image


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "spool"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here (it needs root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more can be written; the file."""
    file = disk / "ballast"
    with file.open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            return file
    raise AssertionError("the disk is not full")


def test_nothing_is_lost_and_nothing_read_twice_when_the_disk_is_full(small_disk: Path) -> None:
    images = slices(12, PixelData=bytes(2 * SIDE * SIDE), Rows=SIDE, Columns=SIDE)
    node = NodeProcess(small_disk, (archive := Archive()).address, environment={"NODE_ON_SMALL_DISK": "1"})
    with running(node):
        statuses = [send(node.port, [image]) for image in images]
        taken = [image for image, status in zip(images, statuses, strict=True) if status == [0]]
        assert taken and len(taken) < len(images), statuses
        ballast = fill(small_disk)
        with archive:
            assert send(node.port, images[-1:]) != [0]
            node.wait_for_event("a connection failed")  # pynetdicom's, which writes what arrives
            ballast.unlink()
            archive.wait_for_images([str(image.SOPInstanceUID) for image in taken])
            send_until_taken(node.port, images)
            names = [str(image.SOPInstanceUID) for image in images]
            archive.wait_for_images(names)
            assert Counter(name for found in archive.images.values() for name in found) == Counter(names)


def test_results_that_cannot_be_recorded_are_recorded_once_there_is_room(small_disk: Path) -> None:
    node = NodeProcess(small_disk, (archive := Archive()).address, environment={"NODE_ON_SMALL_DISK": "1"})
    with running(node):
        assert send(node.port, slices(1)) == [0]
        node.wait_for_event("series read")
        ballast = fill(small_disk)
        with archive:
            node.wait_for_event("the spool could not be written")
            ballast.unlink()
            node.wait_for_event("results sent")
            assert len(archive.received) == 1
