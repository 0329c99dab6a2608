"""Which files show the same image: perceptual hashes of an image and its mirror image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from utils.scans.upload import read_scan_file

NEAR = 12  # of 256 bits: recompressed and resized copies differ by less, neighbouring slices by more


def picture_hash(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The difference hash of an image and of its mirror image, each (32,) uint8 (256 bits).

    pixels: (H, W) float in 0..1. Source: N. Krawetz, "Kind of like that" (dHash), 2013, on a 17 x 16 grid.
    """
    return _dhash(pixels), _dhash(pixels[:, ::-1])


def _dhash(pixels: np.ndarray) -> np.ndarray:
    thumbnail = cv2.resize(np.ascontiguousarray(pixels, np.float32), (17, 16), interpolation=cv2.INTER_AREA)
    # a step of less than one gray level in 8 bits is noise of the compression, not a difference
    return np.packbits(np.diff(thumbnail, axis=1) > 1 / 255)


def hash_files(paths: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32) uint8 hashes of files and of their mirror images. Raises UnreadableScan."""
    pairs = [picture_hash(read_scan_file(path).pixels) for path in paths]
    straight, mirrored = zip(*pairs, strict=True)
    return np.stack(straight), np.stack(mirrored)


def near_pairs(first: np.ndarray, second: np.ndarray, near: int = NEAR) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) of all pairs whose hashes differ in at most `near` bits; (N, 32) and (M, 32) uint8."""
    bits = np.unpackbits(second, axis=1).astype(np.float32)
    ones = bits.sum(axis=1)
    rows, columns = [], []
    for start in range(0, len(first), 1024):
        block = np.unpackbits(first[start : start + 1024], axis=1).astype(np.float32)
        distance = block.sum(axis=1)[:, None] + ones[None, :] - 2 * block @ bits.T
        i, j = np.nonzero(distance <= near + 0.5)
        rows.append(i + start)
        columns.append(j)
    return np.concatenate(rows or [np.empty(0, int)]), np.concatenate(columns or [np.empty(0, int)])


def same_pictures(paths: Sequence[str]) -> np.ndarray:
    """(N,) int: a number for each file, equal where files show the same image, mirrored or not."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    straight, mirrored = hash_files(paths)
    rows, columns = near_pairs(straight, np.concatenate([straight, mirrored]))
    links = coo_array((np.ones(len(rows)), (rows, columns % len(paths))), shape=(len(paths), len(paths)))
    return connected_components(links, directed=False)[1]
