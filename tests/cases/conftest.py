from __future__ import annotations

from pathlib import Path

import pytest

from utils.cases.store import CaseStore


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore.open(tmp_path / "new" / "cases.sqlite3", create=True)
