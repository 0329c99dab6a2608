"""docs/cli.md has every command, option and default of the parser, and no others."""

from __future__ import annotations

import argparse
import re

import pytest

from utils.commands.main import COMMANDS, build_parser
from utils.datasets.protocols import command_names
from utils.evidence.cams import METHODS
from utils.paths import REPOSITORY

PAGE = (REPOSITORY / "docs" / "cli.md").read_text(encoding="utf-8")
SHARED = "Protocol and data options"


def section(heading: str) -> str:
    """The text below a heading of the page."""
    match = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert match, heading
    return match[1]


def documented_options(command: str) -> dict[str, str]:
    """The options of a command's tables, and of the shared one where its section refers to it -> default."""
    text = section(command)
    if f"[{SHARED.lower()}]" in text:
        text += section(SHARED)
    return dict(re.findall(r"^\| `(--[\w-]+)` \| ([^|]+?) \|", text, re.MULTILINE))


def options(command: str) -> dict[str, argparse.Action]:
    """The options of a command's parser."""
    commands = next(
        action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return {
        action.option_strings[-1]: action
        for action in commands.choices[command]._actions
        if action.option_strings and action.dest != "help"
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_documented(command: str) -> None:
    assert set(documented_options(command)) == set(options(command))


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_documented(command: str) -> None:
    documented = documented_options(command)
    for name, action in options(command).items():
        if action.required:
            assert documented[name] in ("required", "see the command"), name
        elif action.default is False:
            assert documented[name] == "off", name
        elif isinstance(action.default, str | int):
            assert documented[name] == f"`{action.default}`", name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_listed_and_has_an_example(command: str) -> None:
    assert f"| [`{command}`](#{command}) |" in PAGE
    assert f"    python model.py {command} " in section(command)


@pytest.mark.parametrize("name", [*command_names(), *METHODS])
def test_choices_are_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_examples_are_accepted_by_the_parser() -> None:
    examples = re.findall(rf"^    python model\.py ((?:{'|'.join(COMMANDS)}) .+)$", PAGE, re.MULTILINE)
    assert len(examples) >= len(COMMANDS)
    for example in examples:
        build_parser().parse_args(example.split())
