"""Every limit of an upload, and the checks that refuse a file beyond it. The documentation lists them."""

from __future__ import annotations

from utils.scans.errors import UnreadableScan

MEGABYTE = 1_000_000

SMALLEST_SIDE = 32  # pixels of an image or slice
LARGEST_ASPECT = 8  # longest side over shortest side
LARGEST_FILE = 128 * MEGABYTE  # bytes; also of a file inside a ZIP, and of a .nii.gz once it is inflated
LARGEST_IMAGE = 25_000_000  # pixels of one image: a bomb is refused before it is decoded
LARGEST_STACK = 64_000_000  # pixels of a whole stack (float32: 256 MB)
LARGEST_UPLOAD = 96_000_000  # pixels of all that is read at once
MOST_SLICES = 512  # of one stack
MOST_FRAMES = 16_384  # of one file, in all its stacks
MOST_FILES = 1024  # at once, and in a ZIP; hidden files do not count
MOST_ENTRIES = 8192  # of a ZIP, with folders and hidden files
LARGEST_UNPACKED = 512 * MEGABYTE  # bytes of all files in a ZIP; one at a time is in memory
LARGEST_RATIO = 200  # unpacked over packed bytes of a file in a ZIP, where it is larger than 10 MB
RATIO_MATTERS_FROM = 10 * MEGABYTE

# PNG and JPEG as they usually are, are decoded in this process (training reads thousands).
# The rest, and whatever is unusual about these two, goes to the decoder process (`decoder_process`).
PLAIN_BYTES = 1 * MEGABYTE
PLAIN_PIXELS = 4_194_304
PLAIN_PASSES = 32  # scans of a progressive JPEG; each costs a pass over all its pixels

# The decoder process: processor time until the first frame of a file, then more for the rest of a large file that
# has proved to be a scan; and memory beyond what the idle process has.
DECODER_SECONDS = 1.5
DECODER_SECONDS_PER_MEGABYTE = 0.1
DECODER_SECONDS_PER_FILE = (
    0.05  # files of one ZIP share DECODER_SECONDS; this and the above is added for each
)
DECODER_SECONDS_PER_MEGAPIXEL = (
    0.5  # added for each decoded megapixel, so that large compressed stacks are read
)
DECODER_MEMORY = 400 * MEGABYTE
MOST_DECODER_FAILURES = 8  # in one upload; later files are not tried any more

# The DICOM node (`model.py node`).
MOST_ASSOCIATIONS = 32  # open at once; further callers are rejected and may try again
LARGEST_SPOOL = (
    8000 * MEGABYTE
)  # bytes of images and results on disk; then images are answered "out of resources"
SMALLEST_FREE_DISK = 256 * MEGABYTE  # bytes that the spool leaves on its disk
MOST_ATTEMPTS = 10  # to read a series, where each ended with the node; then it is put aside

UPLOAD_FULL = (
    f"All files together have more than the {LARGEST_UPLOAD / 1e6:.0f} million pixels that are read at once; "
    "read this file alone."
)


def check_file(size: int) -> None:
    """Raises UnreadableScan for a file of a size (bytes) that is not read."""
    if size == 0:
        raise UnreadableScan("This file is empty; save or export the scan again.")
    if size > LARGEST_FILE:
        raise UnreadableScan(
            f"This file has {size / MEGABYTE:.0f} MB; at most {LARGEST_FILE // MEGABYTE} MB are read."
        )


def check_size(width: int, height: int, what: str = "This image is") -> None:
    """Raises UnreadableScan for an image or slice of a size (pixels) that is not read."""
    if min(width, height) < SMALLEST_SIDE:
        raise UnreadableScan(
            f"{what} {width} x {height} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} are needed."
        )
    if width * height > LARGEST_IMAGE:
        raise UnreadableScan(
            f"{what} {width} x {height} pixels; at most {LARGEST_IMAGE / 1e6:.0f} million are read."
        )
    if max(width, height) > LARGEST_ASPECT * min(width, height):
        raise UnreadableScan(
            f"{what} {width} x {height} pixels, a strip rather than a slice; crop it to one scan."
        )


def check_stack(width: int, height: int, slices: int) -> None:
    """Raises UnreadableScan for a stack with slices of a size, or of a number, that is not read."""
    check_size(width, height, "The slices of this file are" if slices > 1 else "This image is")
    if slices > MOST_SLICES:
        raise UnreadableScan(
            f"This stack has {slices} slices; at most {MOST_SLICES} are read, so select a part of it."
        )
    if width * height * slices > LARGEST_STACK:
        raise UnreadableScan(
            f"This stack has {width * height * slices / 1e6:.0f} million pixels; at most "
            f"{LARGEST_STACK / 1e6:.0f} million are read, so select a part of it."
        )
