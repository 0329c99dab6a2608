"""The documentation and the configuration name the limits of the code."""

from __future__ import annotations

from pathlib import Path

from utils.scans import limits


def test_readme_and_configuration_name_the_limits() -> None:
    repository = Path(__file__).resolve().parents[2]
    section = (
        repository.joinpath("README.md").read_text().split("## What can be dropped in")[1].split("\n## ")[0]
    )
    for words in (
        f"| {limits.LARGEST_FILE // limits.MEGABYTE} MB |",
        f"| {limits.LARGEST_IMAGE // 10**6} million |",
        f"| {limits.MOST_SLICES} |",
        f"| {limits.LARGEST_STACK // 10**6} million |",
        f"| {limits.MOST_FILES:,} |",
        f"| {limits.LARGEST_UPLOAD // 10**6} million |",
        f"| {limits.LARGEST_UNPACKED // limits.MEGABYTE} MB, {limits.LARGEST_RATIO} : 1 |",
        f"| {limits.SMALLEST_SIDE} x {limits.SMALLEST_SIDE}, {limits.LARGEST_ASPECT} : 1 |",
        f"| {limits.DECODER_SECONDS} s, {limits.DECODER_MEMORY // limits.MEGABYTE} MB |",
    ):
        assert words in section, words
    configuration = repository.joinpath(".streamlit", "config.toml").read_text()
    assert f"maxUploadSize = {limits.LARGEST_FILE // limits.MEGABYTE} " in configuration
