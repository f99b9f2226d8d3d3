"""The documents show only commands and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from jdcodec.cli import app

ROOT = Path(__file__).parents[2]
#: What is not for the command: a placeholder for more options, or a remark.
_REST = re.compile(r"\s+(…|#.*)$")
#: typer brings click with it under a name of its own.
_USAGE = typer.BadParameter.__base__ or Exception


def commands(document: str) -> list[str]:
    """Lines of a document's code blocks that begin with jdc, or with torchrun; one that goes on is one."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", (ROOT / document).read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [re.sub(r"^torchrun .* -- +", "", line) for line in lines]
    return [_REST.sub("", line) for line in found if re.match(r"jdc (?!:)", line)]


DOCUMENTS = {"docs/guide.md": 10, "README.md": 3, "docs/training.md": 10, "docs/scale.md": 3}
COMMANDS = [(document, line) for document in DOCUMENTS for line in commands(document)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_there_are_commands(document: str) -> None:
    assert len(commands(document)) >= DOCUMENTS[document]


@pytest.mark.parametrize(("document", "line"), COMMANDS)
def test_a_command_of_a_document_parses(document: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line", ["jdc encode a.png --no-such", "jdc nothing", "jdc data denoise", "jdc data no"]
)
def test_one_that_does_not_exist_is_found(line: str) -> None:
    with pytest.raises((_USAGE, KeyError)):
        parse(line)


def parse(line: str) -> None:
    """Parse names and values of all options, of a command within a command too; runs nothing."""
    command, (name, *arguments) = typer.main.get_command(app), shlex.split(line)[1:]
    command = command.commands[name]  # type: ignore[attr-defined]
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    command.make_context(name, arguments)
