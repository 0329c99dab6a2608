"""What the tests of the archive share: its folder, small networks, and its rows without Ray."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tests.archive.steps import listed
from utils.archive.decoding import Decoder
from utils.archive.inference import Inference, run_cards, versions


@pytest.fixture
def shipped(archive_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command line uses the small networks of `archive_models`."""
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(archive_models))
    return archive_models


@pytest.fixture(scope="session")
def files(archive: Path) -> pa.Table:
    """The manifest of the archive, shards of 32 slices."""
    return listed(archive, shard_size=32)


@pytest.fixture(scope="session")
def inference(archive_models: Path) -> Inference:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BRAIN_MRI_MODELS", str(archive_models))
        return Inference(versions(run_cards()), threads=1)


@pytest.fixture(scope="session")
def decoded(files: pa.Table) -> pa.Table:
    """The archive, decoded in this process."""
    return pa.concat_tables(Decoder()(files))


@pytest.fixture(scope="session")
def rows(decoded: pa.Table, inference: Inference) -> pa.Table:
    """The rows of the archive, read one after the other in this process."""
    return inference(decoded).sort_by([("unit", "ascending"), ("row", "ascending")])
