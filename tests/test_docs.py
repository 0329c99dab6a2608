"""The documentation is complete: limits, environment variables, packages, links, the length of README."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from utils.paths import REPOSITORY
from utils.scans import limits

DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.glob("*.md")])
UNITS = {"MB": 1e6, "million": 1e6}
BUILT_IN = {"PATH", "HOME", "TMPDIR"}  # of the operating system
PLACEHOLDERS = {"N": "1", "NAME": "cnn", "P": "patient-disjoint", "M": "gradcam", "C": "glioma", "SET": "lgg"}


class Parsed(Exception):
    """Ends a command after its arguments were parsed."""


def page_id(page: Path) -> str:
    return str(page.relative_to(REPOSITORY))


def documented_limits() -> dict[str, float]:
    """The limits table of docs/limits.md: name -> value."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d.,]+) ?(\w*)", (DOCS / "limits.md").read_text(), re.MULTILINE)
    return {name: float(value.replace(",", "")) * UNITS.get(unit, 1) for name, value, unit in rows}


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documented_commands(page: Path) -> list[list[str]]:
    """The arguments of every `python model.py ...` of a page, with values in place of placeholders."""
    text = page.read_text().replace("\\\n", " ")
    text = re.sub(r"`[^`]+`", lambda quoted: re.sub(r"\s+", " ", quoted[0]), text)
    blocks = re.findall(r"^(?: {4}|> )?python model\.py (.+)$", text, re.MULTILINE)
    quoted = re.findall(r"`(?:python )?model\.py ([a-z]+ [^`]+)`", text)
    commands = []
    for command in blocks + quoted:
        command = re.sub(r"\s#.*|\[[^\]]*\]|\.\.\.", " ", command)
        if command.startswith("COMMAND"):
            continue
        commands.append([PLACEHOLDERS.get(word, word) for word in shlex.split(command)])
    return commands


def environment_variables() -> set[str]:
    """The names of all environment variables that the code reads or sets."""
    pattern = r"""(?:environ(?:\.get|\.setdefault|\.pop)?|getenv)[\[(]\s*["'](\w+)["']"""
    files = [file for name in ("utils", "pages", "benchmarks") for file in (REPOSITORY / name).rglob("*.py")]
    return {
        name
        for file in [*files, *REPOSITORY.glob("*.py")]
        for name in re.findall(pattern, file.read_text())
        if name not in BUILT_IN
    }


def test_limits_table_equals_the_code() -> None:
    in_code = {
        name: float(value)
        for name, value in vars(limits).items()
        if name.isupper() and isinstance(value, int | float) and name != "MEGABYTE"
    }
    assert documented_limits() == in_code


def test_upload_size_of_the_server_equals_the_limit() -> None:
    settings = (REPOSITORY / ".streamlit" / "config.toml").read_text()
    match = re.search(r"maxUploadSize = (\d+)", settings)
    assert match and int(match[1]) == limits.LARGEST_FILE / limits.MEGABYTE


def test_environment_variables_are_documented() -> None:
    variables = environment_variables()
    assert {"BRAIN_MRI_MODELS", "BRAIN_MRI_CASES", "BRAIN_MRI_DATA"} <= variables
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "limits.md").read_text(), re.MULTILINE))
    assert variables <= documented


def test_packages_are_documented() -> None:
    names = {
        path.stem
        for path in (REPOSITORY / "utils").iterdir()
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
    }
    assert set(re.findall(r"`utils\.(\w+)`", (DOCS / "architecture.md").read_text())) == names


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_modules_and_files_named_in_the_docs_exist(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    text = page.read_text()
    for module in re.findall(r"python -m (benchmarks[\w.]*)", text):
        assert (REPOSITORY / f"{module.replace('.', '/')}.py").is_file(), module
    for path in re.findall(r"`((?:utils|pages|tests|benchmarks|docs)/[\w/.-]+\.(?:py|md))`", text):
        assert (REPOSITORY / path).is_file(), path


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_documented_commands_parse(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import model

    parse = argparse.ArgumentParser.parse_args

    def parse_only(*arguments, **options):
        parse(*arguments, **options)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    for arguments in documented_commands(page):
        with pytest.raises(Parsed):
            try:
                model.main(arguments)
            except SystemExit as error:
                raise AssertionError(arguments) from error


def test_readme_is_short() -> None:
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 120


def test_python_example_of_the_readme_runs(
    tiny_app: Path, png_bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    match = re.search(r"```python\n(.+?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert match
    (tmp_path / "scan.png").write_bytes(png_bytes(1))
    monkeypatch.chdir(tmp_path)
    exec(match[1], {})
    assert "glioma" in capsys.readouterr().out


def test_every_page_of_the_app_is_documented() -> None:
    titles = re.findall(r'st\.Page\([^)]*title="(\w+)"', (REPOSITORY / "app.py").read_text())
    documented = re.findall(r"^\| (\w+) \|", (DOCS / "app.md").read_text(), re.MULTILINE)
    assert len(titles) > 5 and set(titles) <= set(documented)
