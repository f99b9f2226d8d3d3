"""What the commands share: messages, values of options, and a quick start."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import unicodedata
from collections.abc import Mapping
from types import FrameType
from typing import Any

import typer

from jdcodec.cli.streams import standard_output
from jdcodec.errors import JdcError, PhotoError

#: Which extra of the package brings a library that commands import when they need it.
EXTRAS = {"torch": "train", "tensorboard": "train", "matplotlib": "bench", "distributed": "cluster"}

#: Set by --debug: tracebacks instead of one line.
debug = False

#: Characters of a library's error that are told; some of them run to pages.
_ENOUGH = 300

#: Invisible characters that some scripts need within words; they do nothing to a terminal.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Text with backslash escapes for what a terminal would obey rather than show.

    Names of files and what photos say of themselves may hold escape sequences, line ends, or characters that
    turn the direction of the text around. Bytes of a name that are no text stay as they are.
    """
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    acts = unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") and char not in _JOINERS
    return char.encode("unicode_escape").decode("ascii") if acts else char


def complain(message: str) -> None:
    """One line on standard error, if anybody can read it."""
    with contextlib.suppress(OSError):
        print(f"jdc: {printable(' '.join(message.splitlines()))}", file=sys.stderr, flush=True)


def in_words(error: Exception) -> str:
    """One line on any error: our own say it themselves, of others the kind is told, too."""
    if isinstance(error, JdcError):
        return str(error)
    # OpenVINO reports what C++ throws for want of memory as a RuntimeError.
    if isinstance(error, MemoryError) or "bad_alloc" in str(error):
        return "not enough memory; end other programs, or use fewer --workers"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        extra = EXTRAS.get(error.name.partition(".")[0])
        if extra is not None:
            return f"this needs {error.name}, which is not installed: pip install 'jdcodec[{extra}]'"
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= _ENOUGH else f"{text[:_ENOUGH]}…"


def say(line: str, *, err: bool = False) -> None:
    """A line on standard output, or on standard error; above the progress bar where one is shown.

    Not `typer.echo`, which writes past the stream that the bar puts in the place of standard output.
    """
    if err:
        print(printable(line), file=sys.stderr, flush=True)
        return
    with standard_output():
        print(printable(line), flush=True)


def say_json(facts: Mapping[str, Any]) -> None:
    """A line for programs, on standard output: JSON in ASCII, whose escapes hold any name in any encoding."""
    with standard_output():
        print(json.dumps(facts), flush=True)


def kinds_to_strip(text: str | None) -> frozenset[str]:
    """The value of --strip; raises BadParameter."""
    from jdcodec.photo.metadata import parse_kinds

    try:
        return parse_kinds(text) if text is not None else frozenset()
    except PhotoError as error:
        raise typer.BadParameter(str(error), param_hint="--strip") from error


def end_cleanly_on_sigterm() -> None:
    """Let SIGTERM end this process through the usual clean-up, so that no temporary file stays."""

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def start_runtime_meanwhile(device: str) -> None:
    """Load what runs the networks on a processor in the background, while a photo is read from the disk.

    device: value of --device; for one that is no processor nothing is loaded.

    Nothing is written before that is done, so until then SIGINT and SIGTERM end the process at once. As an
    exception inside an import they can leave this thread with the lock that the other one waits for.
    """

    if device not in ("auto", "cpu"):
        return

    def load() -> None:
        # What cannot be loaded, for whatever reason, is told of when it is needed.
        with contextlib.suppress(Exception):
            importlib.import_module("jdcodec.inference.on_openvino").core()

    thread = threading.Thread(target=load, daemon=True)
    thread.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        _leave_at_once_during(thread, number)


def _leave_at_once_during(thread: threading.Thread, number: signal.Signals) -> None:
    usual = signal.getsignal(number)
    if not callable(usual):  # ignored, as under nohup
        return

    def leave(number: int, frame: FrameType | None) -> None:
        if thread.is_alive():
            os._exit(128 + number)
        usual(number, frame)

    signal.signal(number, leave)
