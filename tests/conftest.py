"""What every test may use: the fixtures of tests/support, the command line and the real data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("untimed")

pytest_plugins = [
    "tests.support.acceptance",
    "tests.support.archives",
    "tests.support.brains",
    "tests.support.cases",
    "tests.support.networks",
    "tests.support.ray_cluster",
    "tests.support.records",
    "tests.support.s3",
    "tests.support.servers",
]


@pytest.fixture(scope="session", autouse=True)
def cache_folder_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's own cache folder stays as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real data sets; without them the test is skipped."""
    from utils.datasets.samples import data_folder

    root = data_folder()
    if not (root / "nickparvar" / "manifest.csv").is_file():
        pytest.skip(f"the data sets are not in {root} (set BRAIN_MRI_DATA to their folder)")
    return root


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], models_copy: Path, tmp_path: Path, monkeypatch
) -> Callable[..., tuple[int, str, str]]:
    """A function (arguments) -> exit code, standard output, standard error; below an empty working folder."""
    import model

    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = model.main([str(argument) for argument in arguments])
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return code, output, errors

    return call
