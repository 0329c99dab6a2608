"""Which stacks belong to one study: by the study of DICOM files, else by the folder of a ZIP. No UID is kept."""

from __future__ import annotations

import nibabel
import numpy as np
from pydicom import uid

from tests.support.corpus import dicom, dicom_bytes, zipped
from utils.scans.scan import Stack
from utils.scans.upload import read_stacks


def stacks(files: list[tuple[str, bytes]]) -> list[Stack]:
    parts = read_stacks(files)
    assert all(isinstance(part, Stack) for part in parts)
    return [part for part in parts if isinstance(part, Stack)]


def series(study: str, number: int, **facts: str) -> list[tuple[str, bytes]]:
    name = uid.generate_uid(entropy_srcs=[study, str(number)])
    return [
        (
            f"{name}-{place}",
            dicom_bytes(
                dicom(
                    place,
                    place,
                    StudyInstanceUID=study,
                    SeriesInstanceUID=name,
                    SOPInstanceUID=uid.generate_uid(entropy_srcs=[name, str(place)]),
                    **facts,
                )
            ),
        )
        for place in range(3)
    ]


def volume(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(1, 900, (40, 44, 5)).astype(np.int16)
    return nibabel.Nifti1Image(pixels, np.diag([1.0, 1.0, 4.0, 1.0])).to_bytes()


def test_series_of_one_study_share_a_hash_that_is_not_its_uid() -> None:
    first, second = uid.generate_uid(), uid.generate_uid()
    read = stacks([*series(first, 1), *series(first, 2), *series(second, 1)])
    studies = [part.scans[0].study for part in read]
    assert studies[0] == studies[1] != studies[2] and all(studies)
    assert first not in studies and second not in studies


def test_equal_uids_of_different_patients_are_not_one_study() -> None:
    study = uid.generate_uid()
    read = stacks(
        [*series(study, 1, PatientID="A"), *series(study, 1, PatientID="B"), *series(study, 2, PatientID="")]
    )
    assert [len(part.scans) for part in read] == [3, 3, 3]  # no slice is mixed in or taken for a copy
    assert len({part.scans[0].study for part in read}) == 3
    patients = [part.scans[0].patient for part in read]
    assert patients[0] != patients[1] and patients[2] == "" and "A" not in patients


def studies_of(*names: str) -> list[str]:
    archive = zipped({name: volume(number) for number, name in enumerate(names)})
    return [part.scans[0].study for part in stacks([("all.zip", archive)])]


def test_volumes_of_one_folder_of_a_zip_are_one_study_where_only_the_sequence_differs() -> None:
    studies = studies_of("a/t1.nii", "a/t2.nii", "b/t1.nii")
    assert studies[0] == studies[1] != studies[2]
    studies = studies_of("case7_T1ce.nii", "case7-flair.nii", "case8_T1ce.nii")
    assert studies[0] == studies[1] != studies[2]
    loose = stacks([("t1.nii", volume(1)), ("t2.nii", volume(2))])
    assert [part.scans[0].study for part in loose] == ["", ""]  # of perhaps two patients


def test_volumes_of_perhaps_different_patients_are_not_one_study() -> None:
    assert studies_of("case7.nii", "case8.nii") == ["", ""]
    archive = zipped(dict([*series("", 1, PatientID="A"), *series("", 2, PatientID="B")]))
    assert {part.scans[0].study for part in stacks([("all.zip", archive)])} == {""}


def test_slices_of_a_series_know_their_place() -> None:
    (stack,) = stacks(series(uid.generate_uid(), 1))
    places = [scan.place for scan in stack.scans]
    assert None not in places and np.ptp(np.diff(np.asarray(places, float))) < 1e-6
