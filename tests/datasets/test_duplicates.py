from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from utils.datasets.duplicates import NEAR, hash_files, near_pairs, picture_hash, same_pictures
from utils.scans.errors import UnreadableScan
from utils.scans.upload import read_scan


def distance(first: np.ndarray, second: np.ndarray) -> int:
    return int(np.unpackbits(first ^ second).sum())


def save(pixels: np.ndarray, path, **options) -> str:
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path, **options)
    return str(path)


def test_a_mirrored_picture_has_the_mirrored_hash(brain):
    straight, mirrored = picture_hash(brain)
    other_straight, other_mirrored = picture_hash(brain[:, ::-1])
    assert straight.shape == (32,) and straight.dtype == np.uint8
    assert np.array_equal(mirrored, other_straight) and np.array_equal(straight, other_mirrored)
    assert distance(straight, mirrored) > NEAR


@pytest.mark.parametrize("quality", [60, 85, 95])
@pytest.mark.parametrize("size", [(180, 220), (128, 128), (400, 500)])
def test_recompressed_and_resized_copies_stay_near(brain, quality, size):
    buffer = io.BytesIO()
    resized = cv2.resize(brain, size, interpolation=cv2.INTER_AREA)
    Image.fromarray(np.rint(resized * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    copy = read_scan(buffer.getvalue(), "copy").pixels
    assert distance(picture_hash(brain)[0], picture_hash(copy)[0]) <= NEAR


def test_different_pictures_are_far(draw_brain):
    hashes = [hash for seed in range(12) for hash in picture_hash(draw_brain(seed=seed))]
    distances = [distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(distances) > NEAR


def test_near_pairs_finds_what_comparing_all_finds():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (1500, 32), dtype=np.uint8)
    second = first[rng.integers(0, 1500, 300)].copy()
    flips = np.packbits(rng.random((300, 256)) < 0.05, axis=1)
    second ^= flips
    i, j = near_pairs(first, second)
    bits = np.unpackbits(first[:, None] ^ second[None], axis=2).sum(axis=2, dtype=int)
    assert set(zip(i.tolist(), j.tolist(), strict=True)) == set(
        zip(*map(list, np.nonzero(bits <= NEAR)), strict=True)
    )
    assert near_pairs(first[:0], second)[0].size == 0


def test_same_pictures_joins_copies_and_mirror_images(tmp_path, draw_brain):
    first, second = draw_brain(seed=1), draw_brain(seed=2)
    paths = [
        save(first, tmp_path / "a.png"),
        save(second, tmp_path / "b.png"),
        save(first[:, ::-1], tmp_path / "mirrored.png"),
        save(cv2.resize(first, (120, 150), interpolation=cv2.INTER_AREA), tmp_path / "small.jpg", quality=80),
    ]
    numbers = same_pictures(paths)
    assert numbers[0] == numbers[2] == numbers[3] != numbers[1]


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    with pytest.raises(UnreadableScan):
        hash_files([str(tmp_path / "a.png")])
