"""The documentation and the configuration name the limits of the code."""

from __future__ import annotations

from pathlib import Path

from utils.scans import limits

REPOSITORY = Path(__file__).resolve().parents[2]


def test_documentation_and_configuration_name_the_limits() -> None:
    page = REPOSITORY.joinpath("docs", "limits.md").read_text()
    for name, value in (
        ("LARGEST_FILE", f"{limits.LARGEST_FILE // limits.MEGABYTE} MB"),
        ("LARGEST_IMAGE", f"{limits.LARGEST_IMAGE // 10**6} million pixels"),
        ("MOST_SLICES", f"{limits.MOST_SLICES}"),
        ("MOST_FRAMES", f"{limits.MOST_FRAMES:,}"),
        ("LARGEST_STACK", f"{limits.LARGEST_STACK // 10**6} million pixels"),
        ("MOST_FILES", f"{limits.MOST_FILES:,}"),
        ("MOST_ENTRIES", f"{limits.MOST_ENTRIES:,}"),
        ("LARGEST_UPLOAD", f"{limits.LARGEST_UPLOAD // 10**6} million pixels"),
        ("LARGEST_UNPACKED", f"{limits.LARGEST_UNPACKED // limits.MEGABYTE} MB"),
        ("LARGEST_RATIO", f"{limits.LARGEST_RATIO}"),
        ("SMALLEST_SIDE", f"{limits.SMALLEST_SIDE} pixels"),
        ("LARGEST_ASPECT", f"{limits.LARGEST_ASPECT}"),
        ("DECODER_SECONDS", f"{limits.DECODER_SECONDS} s"),
        ("DECODER_SECONDS_PER_MEGAPIXEL", f"{limits.DECODER_SECONDS_PER_MEGAPIXEL} s"),
        ("DECODER_MEMORY", f"{limits.DECODER_MEMORY // limits.MEGABYTE} MB"),
    ):
        assert f"| `{name}` | {value} |" in page, name
    configuration = REPOSITORY.joinpath(".streamlit", "config.toml").read_text()
    assert f"maxUploadSize = {limits.LARGEST_FILE // limits.MEGABYTE} " in configuration
