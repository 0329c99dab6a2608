"""What the tests of the archive share: its folder, small networks, and its rows without Ray."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from utils.archive import manifest
from utils.archive.decoding import Decoder
from utils.archive.inference import Inference, run_cards
from utils.archive.sources import resolved


@pytest.fixture
def shipped(archive_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command line uses the small networks of `archive_models`."""
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(archive_models))
    return archive_models


@pytest.fixture(scope="session")
def files(archive: Path) -> pa.Table:
    """The manifest of the archive, shards of 32 slices."""
    listed = manifest.list_files(resolved([str(archive)]))
    return manifest.divided(pa.concat_tables(map(manifest.with_parts, listed)), 32)


@pytest.fixture(scope="session")
def inference(archive_models: Path) -> Inference:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAIN_MRI_MODELS", str(archive_models))
        return Inference({card.name: card.version for card in run_cards()}, threads=1)


@pytest.fixture(scope="session")
def rows(files: pa.Table, inference: Inference) -> pa.Table:
    """The rows of the archive, read one after the other in this process."""
    decoded = pa.concat_tables(Decoder()(files))
    return inference(decoded).sort_by([("unit", "ascending"), ("row", "ascending")])
