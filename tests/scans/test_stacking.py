"""Real-world series: echoes, repetitions, planes, copies, turned slices, windows that differ, pixels not square."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydicom.tag import Tag

from tests.support.corpus import dicom, dicom_bytes, drawing, zipped
from tests.support.series import AXIAL, CORONAL, SAGITTAL, Frame, enhanced
from utils.reading.volumes import slices_with_brain
from utils.scans.places import UNKNOWN_ORDER
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.upload import read_scan, read_stack, read_stacks


def stacks(*files: bytes) -> list[Stack]:
    parts = read_stacks([(f"{number}.dcm", data) for number, data in enumerate(files)])
    assert all(isinstance(part, Stack) for part in parts), parts
    return [part for part in parts if isinstance(part, Stack)]


def seeds_of(stack: Stack) -> list[int]:
    """Which drawings the slices show."""
    drawings = {seed: drawing(seed).astype(float).ravel() for seed in range(12)}
    return [
        max(drawings, key=lambda seed: np.corrcoef(drawings[seed], scan.pixels.ravel())[0, 1])
        for scan in stack.scans
    ]


def at(place: float, seed: int, **changes: Any) -> bytes:
    uid = f"1.2.3.{seed}.{abs(hash(str(changes))) % 10**9}"
    return dicom_bytes(
        dicom(seed, 1, **({"ImagePositionPatient": [0, 0, place], "SOPInstanceUID": uid} | changes))
    )


# One place imaged several times


@pytest.mark.parametrize(
    "first,second,words",
    [
        ({"EchoTime": 15}, {"EchoTime": 90}, "echo time 90 ms"),
        ({"DiffusionBValue": 0.0}, {"DiffusionBValue": 1000.0}, "b-value 1000 s/mm²"),
        ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}, "time point 2"),
        (
            {"ImageType": ["ORIGINAL", "PRIMARY", "M"]},
            {"ImageType": ["ORIGINAL", "PRIMARY", "P"]},
            "phase image",
        ),
        ({"ComplexImageComponent": "MAGNITUDE"}, {"ComplexImageComponent": "PHASE"}, "phase image"),
    ],
)
def test_files_of_two_weightings_are_two_stacks(first, second, words) -> None:
    """All with InstanceNumber 1 and in mixed order."""
    files = [
        at(place, seed + 4 * kind, **changes)
        for seed, place in enumerate((10, 0, 5))
        for kind, changes in enumerate((first, second))
    ]
    first, second = stacks(*files)
    assert seeds_of(first) == [1, 2, 0] and seeds_of(second) == [5, 6, 4]
    assert any(words in note for note in second.notes)


@pytest.mark.parametrize(
    "first,second,pointers",
    [
        ({"echo": 15}, {"echo": 90}, ()),
        ({"b_value": 0}, {"b_value": 1000}, ()),
        ({"time": 1}, {"time": 2}, ()),
        ({"component": "MAGNITUDE"}, {"component": "PHASE"}, ()),
        (
            {"dimensions": (1, 1)},
            {"dimensions": (1, 2)},
            (Tag("StackID"), Tag("NominalCardiacTriggerDelayTime")),
        ),
    ],
)
def test_frames_of_two_weightings_are_two_stacks(first, second, pointers) -> None:
    frames = [
        Frame(seed + 4 * kind, place, **changes)
        for seed, place in enumerate((10, 0, 5))
        for kind, changes in enumerate((first, second))
    ]
    first, second = stacks(enhanced(frames, pointers))
    assert seeds_of(first) == [1, 2, 0] and seeds_of(second) == [5, 6, 4]


def test_the_limits_apply_to_the_stack_that_is_read() -> None:
    frames = [Frame(number % 3, 3.0 * (number % 40)) for number in range(520)]
    (stack,) = stacks(enhanced(frames))
    assert len(stack.scans) == 40 and any("40 of 520" in note for note in stack.notes)
    many = [Frame(number % 3, 3.0 * (number % 40), b_value=number // 40) for number in range(520)]
    assert [len(stack.scans) for stack in stacks(enhanced(many))] == [40] * 13


def test_acquisition_numbers_alone_split_nothing() -> None:
    files = [
        at(5.0 * seed + 2.5 * number, seed + 6 * number, AcquisitionNumber=number + 1)
        for number in (0, 1)
        for seed in range(6)
    ]
    (stack,) = stacks(*files)
    assert seeds_of(stack) == [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]


def test_a_series_that_comes_twice_counts_once() -> None:
    files = []
    for number in range(4):
        ds = dicom(number, number)
        del ds.ImagePositionPatient, ds.ImageOrientationPatient
        files.append(dicom_bytes(ds))
    again = [dicom_bytes(dicom_without_places(number)) for number in range(4)]
    (stack,) = stacks(*files, *files)
    assert (
        seeds_of(stack) == [0, 1, 2, 3] and "4 files came more than once; each is read once." in stack.notes
    )
    (stack,) = stacks(*files, *again)
    assert seeds_of(stack) == [0, 1, 2, 3]


def dicom_without_places(number: int):
    """The same instance, written again with another comment."""
    ds = dicom(number, number, ImageComments="a copy")
    del ds.ImagePositionPatient, ds.ImageOrientationPatient
    return ds


def test_slices_that_share_a_uid_by_mistake_are_all_read() -> None:
    (stack,) = stacks(*(at(place, seed, SOPInstanceUID="1.2.3") for seed, place in enumerate((0, 5, 10))))
    assert seeds_of(stack) == [0, 1, 2]


# Planes, order, turns


def test_frames_of_three_planes_are_three_stacks() -> None:
    frames = [
        Frame(3 * kind + number, 10.0 * number, orientation=plane)
        for kind, plane in enumerate((AXIAL, SAGITTAL, CORONAL))
        for number in range(3)
    ]
    parts = stacks(enhanced(frames))
    assert [seeds_of(stack) for stack in parts] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert any("coronal plane" in note for note in parts[2].notes)


@pytest.mark.parametrize("kind", ["location", "position"])
def test_places_without_orientation_give_the_order(kind) -> None:
    files = []
    for seed, place in enumerate((15, 5, 25, 0, 10, 20)):
        ds = dicom(seed, 1, SOPInstanceUID=f"1.2.{seed}", ImagePositionPatient=[0, 0, place])
        del ds.ImageOrientationPatient, ds.InstanceNumber
        if kind == "location":
            del ds.ImagePositionPatient
            ds.SliceLocation = place
        files.append(dicom_bytes(ds))
    (stack,) = stacks(*files)
    assert seeds_of(stack) == [3, 1, 4, 0, 5, 2] and stack.notes == ()


def test_where_nothing_gives_the_order_a_note_says_so() -> None:
    files = []
    for seed in range(3):
        ds = dicom(seed, 1, SOPInstanceUID=f"1.2.{seed}")
        del ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.InstanceNumber
        files.append(dicom_bytes(ds))
    (stack,) = stacks(*files)
    assert seeds_of(stack) == [0, 1, 2] and UNKNOWN_ORDER in stack.notes


def test_a_slice_turned_by_half_a_turn_is_upright() -> None:
    stored = np.ascontiguousarray((drawing(3).astype(np.uint16) * 16)[::-1, ::-1])
    turned = at(0, 3, ImageOrientationPatient=[-1, 0, 0, 0, -1, 0], PixelData=stored.tobytes())
    upright = at(0, 3)
    np.testing.assert_array_equal(read_scan(turned, "a").pixels, read_scan(upright, "b").pixels)


# Pixels that are not square


@pytest.mark.parametrize(
    "changes,shape,spacing",
    [
        ({"PixelSpacing": [1.8, 0.9]}, (72, 40), (0.9, 0.9)),
        ({"PixelSpacing": [0.9, 1.8]}, (36, 80), (0.9, 0.9)),
        ({"PixelSpacing": None, "PixelAspectRatio": [2, 1]}, (72, 40), None),
        ({"PixelSpacing": [0.9, 0.9004]}, (36, 40), (0.9, 0.9004)),
        ({"PixelSpacing": [1.8, 0.9], "ImageOrientationPatient": [0, 1, 0, 1, 0, 0]}, (40, 72), (0.9, 0.9)),
    ],
)
def test_pixels_that_are_not_square_are_resampled(changes, shape, spacing) -> None:
    scan = read_scan(at(0, 0, **changes), "a")
    assert scan.shape == shape and scan.spacing == spacing
    assert any("not square" in note for note in scan.notes) == (shape != (36, 40))
    extent = np.asarray(scan.shape) * np.asarray(scan.spacing or (1, 1))
    if changes.get("PixelSpacing") and shape[0] == 72:
        assert extent == pytest.approx([36 * 1.8, 40 * 0.9])  # sizes in mm stay


def test_an_implausible_spacing_is_ignored_with_a_note() -> None:
    scan = read_scan(at(0, 0, PixelSpacing=[50, 0.9]), "a")
    assert (
        scan.shape == (36, 40) and scan.spacing is None and any("implausible" in note for note in scan.notes)
    )


@pytest.mark.parametrize("text", ["1,8\\0,9", "1.8\\0.9"])
@pytest.mark.parametrize("kind", ["DS", "UN", "LO"])
def test_spacing_with_decimal_commas_or_of_another_type_is_read(text, kind) -> None:
    data = at(0, 0, PixelSpacing=[1.5, 0.5])
    place = data.index(b"\x28\x00\x30\x00DS")
    length = int.from_bytes(data[place + 6 : place + 8], "little")
    value = text.encode() + b" " * (len(text) % 2)
    size = len(value).to_bytes(4, "little") if kind == "UN" else len(value).to_bytes(2, "little")
    element = b"\x28\x00\x30\x00" + kind.encode() + (b"\0\0" if kind == "UN" else b"") + size + value
    changed = data[:place] + element + data[place + 8 + length :]
    assert read_scan(changed, "a").spacing == (0.9, 0.9)


# Windows


def test_slices_of_air_with_a_window_of_their_own_count_as_no_brain() -> None:
    """Siemens stores a window in each slice; in air it makes noise as bright as a head."""
    rng = np.random.default_rng(0)
    files = []
    for number in range(8):
        is_air = number in (0, 7)
        pixels = rng.integers(0, 40, (36, 40)) if is_air else drawing(number).astype(int) * 16
        centre, width = (20, 40) if is_air else (2000, 4000)
        data = pixels.astype(np.uint16).tobytes()
        files.append(at(5.0 * number, number, PixelData=data, WindowCenter=centre, WindowWidth=width))
    (stack,) = stacks(*files)
    assert stack.scans[0].pixels.mean() > 0.4  # the window of the file is followed
    assert slices_with_brain(stack.on_one_scale()) == [1, 2, 3, 4, 5, 6]


def test_slices_with_one_window_are_on_one_scale_as_they_are() -> None:
    (stack,) = stacks(*(at(5.0 * number, number, WindowCenter=2000, WindowWidth=4000) for number in range(3)))
    assert all(values is scan.pixels for values, scan in zip(stack.on_one_scale(), stack.scans, strict=True))


@pytest.mark.parametrize("centre,width", [(0, 1), (40, 80), (30000, 500), (-5000, 100)])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_that_hides_the_image_is_ignored_with_a_note(centre, width, photometric) -> None:
    kind = {"PhotometricInterpretation": photometric}
    scan = read_scan(at(0, 0, WindowCenter=centre, WindowWidth=width, **kind), "a")
    np.testing.assert_allclose(scan.pixels, read_scan(at(0, 0, **kind), "a").pixels, atol=1e-6)
    assert any("window" in note and "ignored" in note for note in scan.notes)


# Counting


def test_files_are_counted_after_hidden_ones_are_skipped(monkeypatch) -> None:
    monkeypatch.setattr("utils.scans.archives.MOST_FILES", 3)
    monkeypatch.setattr("utils.scans.upload.MOST_FILES", 3)
    files = {f"s/IM{number}": at(5.0 * number, number) for number in range(3)}
    hidden = {f"__MACOSX/s/._IM{number}": b"\0\5\26\7" for number in range(3)} | {"s/.DS_Store": b"\0\0\0\1"}
    (stack,) = stacks(zipped({**hidden, **files}))
    assert len(stack.scans) == 3
    (part,) = read_stacks(list({**hidden, **files}.items()))
    assert isinstance(part, Stack) and len(part.scans) == 3
    (part,) = read_stacks([("a.zip", zipped({**files, "s/IM4": b"x"}))])
    assert isinstance(part, Refusal) and "more than 1024 files" in part.reason


def test_a_stack_with_a_single_scan_reads_alike_alone_and_by_name() -> None:
    scan = read_scan(at(0, 0), "a")
    assert isinstance(scan, Scan) and read_stack(at(0, 0), "a").scans[0].sha256 == scan.sha256
