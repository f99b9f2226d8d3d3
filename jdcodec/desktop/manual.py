"""Manual pages from the commands themselves: what `--help` knows, as man(7) source.

The pages are made from the tree of click commands that Typer builds, so that none can miss an option.
"""

from __future__ import annotations

import datetime
import itertools
import os
import re
from collections.abc import Iterator
from typing import Any

import typer

from jdcodec.errors import OutputError

#: A click command; Typer carries its own copy of click, which has no public name.
Command = Any

_EXIT = (
    ("0", "All went well."),
    ("1", "The input or the data; one line on standard error says what was wrong with which file."),
    ("2", "Usage."),
    ("130", "Interrupted by Ctrl-C."),
)
_ENVIRONMENT = (("JDC_DEBUG", "When set, errors show tracebacks, as with --debug."),)
_GENERAL = "OPTIONS"


def manual_pages(root: Command, version: str) -> dict[str, str]:
    """File names and sources of all pages, as `jdc.1` and `jdc-encode.1`; root: the command of all others."""
    pages: dict[str, str] = {}
    _add_pages(pages, root, root.name or "jdc", version)
    return pages


def _add_pages(pages: dict[str, str], command: Command, name: str, version: str) -> None:
    below = dict(_subcommands(command))
    lines: Iterator[str] = itertools.chain(
        _heading(command, name, version),
        _synopsis(command, name, bool(below)),
        _description(command),
        _command_list(below, name),
        _options(command),
        _table("EXIT STATUS", _EXIT),
        _table("ENVIRONMENT", _ENVIRONMENT),
        _see_also(below, name),
    )
    pages[f"{name.replace(' ', '-')}.1"] = "\n".join(lines) + "\n"
    for word, child in below.items():
        _add_pages(pages, child, f"{name} {word}", version)


def _subcommands(command: Command) -> Iterator[tuple[str, Command]]:
    for name, child in sorted(getattr(command, "commands", {}).items()):
        if not child.hidden:
            yield name, child


def _heading(command: Command, name: str, version: str) -> Iterator[str]:
    title = name.replace(" ", "-")
    yield f'.TH "{_text(title.upper())}" "1" "{_date()}" "jdcodec {version}" "User Commands"'
    yield ".SH NAME"
    yield f"{_text(title)} \\- {_text(_summary(command))}"


def _synopsis(command: Command, name: str, has_commands: bool) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    words = [f"\\fB{_text(name)}\\fR", "[\\fIOPTION\\fR]..."]
    if has_commands:
        words.append("\\fICOMMAND\\fR [\\fIARGUMENT\\fR]...")
    for parameter in command.params:
        if _is_argument(parameter):
            word = f"\\fI{_text(_argument_name(parameter))}\\fR"
            words.append(word if parameter.required else f"[{word}]")
    yield " ".join(words)


def _description(command: Command) -> Iterator[str]:
    yield ".SH DESCRIPTION"
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    examples = [part for part in paragraphs[1:] if part.startswith("jdc ")]
    text = [part for part in paragraphs if part not in examples]
    for number, part in enumerate(text):
        if number:
            yield ".PP"
        yield _text(part)
    for parameter in command.params:
        if _is_argument(parameter) and parameter.help:
            yield ".TP"
            yield f"\\fI{_text(_argument_name(parameter))}\\fR"
            yield _text(parameter.help)
    if examples:
        yield ".SH EXAMPLES"
        yield ".nf"
        yield from (f"\\fB{_text(example)}\\fR" for example in examples)
        yield ".fi"


def _command_list(below: dict[str, Command], name: str) -> Iterator[str]:
    if below:
        yield ".SH COMMANDS"
    for word, child in below.items():
        yield ".TP"
        yield f"\\fB{_text(f'{name}-{word}'.replace(' ', '-'))}\\fR(1)"
        yield _text(_summary(child))


def _options(command: Command) -> Iterator[str]:
    """The options of each panel under a heading of its own, those without a panel first."""
    context = typer.Context(command)
    panels: dict[str, list[Any]] = {_GENERAL: []}
    for parameter in command.params:
        if not _is_argument(parameter) and not parameter.hidden:
            panel = getattr(parameter, "rich_help_panel", None)
            panels.setdefault(panel or _GENERAL, []).append(parameter)
    yield f".SH {_GENERAL}"
    for panel, parameters in panels.items():
        if panel != _GENERAL:
            yield f'.SS "{_text(panel)}"'
        for parameter in parameters:
            yield from _option(parameter, context)
    yield from (".TP", "\\fB\\-h\\fR, \\fB\\-\\-help\\fR", "Show the options and leave.")


def _option(parameter: Any, context: Any) -> Iterator[str]:
    names, text = parameter.get_help_record(context)
    yield ".TP"
    # Names begin with hyphens; the rest stands for a value.
    parts = re.split(r"((?<![^\s])--?[a-z][a-z-]*)", names)
    yield "".join(
        f"\\fB{_text(part)}\\fR" if part.startswith("-") else _italic(part) for part in parts if part
    )
    yield _text(" ".join(text.split()))


def _italic(text: str) -> str:
    """The words of a text in italics, punctuation between names left alone."""
    word = text.strip(" ,/")
    return _text(text) if not word else text.replace(word, f"\\fI{_text(word)}\\fR")


def _argument_name(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _summary(command: Command) -> str:
    first = " ".join((command.help or "").split("\n\n")[0].split())
    return first.rstrip(".")


def _table(heading: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f".SH {heading}"
    for name, text in rows:
        yield from (".TP", f"\\fB{_text(name)}\\fR", _text(text))


def _see_also(below: dict[str, Command], name: str) -> Iterator[str]:
    others = [f"{name} {word}" for word in below] or [name.rpartition(" ")[0]]
    yield ".SH SEE ALSO"
    for number, other in enumerate(others, 1):
        comma = " ," if number < len(others) else ""
        yield f".BR {_text(other.replace(' ', '-'))} (1){comma}"


def _date() -> str:
    """The day of the page; that of SOURCE_DATE_EPOCH where a build asks for it, to be repeatable.

    Raises OutputError where that is too large for a date.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        when = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC) if seconds.isdecimal() else None
    except (ValueError, OverflowError, OSError) as error:
        raise OutputError("SOURCE_DATE_EPOCH: no date is so many seconds after 1970") from error
    return (when or datetime.datetime.now(datetime.UTC)).strftime("%Y-%m-%d")


def _text(text: str) -> str:
    """Text as roff shows it: hyphens that can be copied, no requests, no escapes."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    escaped = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found.group()):04X}]", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
