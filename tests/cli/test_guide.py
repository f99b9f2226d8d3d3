"""`docs/guide.md` shows only commands and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from jdcodec.cli import app

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
COMMANDS = re.findall(r"^jdc (?!:).*$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


def test_there_are_commands_for_ten_tasks() -> None:
    assert len(COMMANDS) >= 10


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_guide_parses(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    # Parses names and values of all options, and runs nothing.
    command.make_context(name, arguments)
