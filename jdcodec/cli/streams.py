"""Reading a file, a pipe or standard input, and writing standard output: one way for all commands.

Whatever is named as an input is opened once, so that pipes work as files do.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jdcodec.errors import JdcError, OutputError, PhotoError

STANDARD = "-"

# By these names, too, no terminal is to get a picture, and no picture the lines that are said beside it.
_NAMES_OF_STANDARD_OUTPUT = ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")


def source_name(source: str) -> str:
    """What an input is called in messages."""
    return "standard input" if source == STANDARD else source


def output_name(output: str | None) -> str | None:
    """An output as it was given, but `-` for every name of standard output."""
    return STANDARD if output in _NAMES_OF_STANDARD_OUTPUT else output


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a name before each JdcError of a block whose errors do not say what file they are about."""
    try:
        yield
    except JdcError as error:
        raise type(error)(f"{name}: {error}") from error


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """The bytes of a file, a pipe or standard input, seekable; raises PhotoError.

    All but standard input have a `name`, by which `read_photo` tells some RAW formats and its errors.
    """
    try:
        if source == STANDARD:
            yield io.BytesIO(sys.stdin.buffer.read())
            return
        with Path(source).open("rb") as file:
            yield file if file.seekable() else _held(file.read(), source)
    except OSError as error:
        raise PhotoError(f"{source_name(source)}: {reason(error)}") from error


def read_input(source: str) -> bytes:
    """All bytes of a file, a pipe or standard input; raises PhotoError."""
    with opened(source) as file:
        return file.read()


def _held(data: bytes, name: str) -> BinaryIO:
    file = io.BytesIO(data)
    file.name = name
    return file


@contextmanager
def standard_output() -> Iterator[None]:
    """Let an OSError of writing there say so; BrokenPipeError, of a reader that has gone, stays as it is."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, reason(error), "standard output") from error


def write_standard_output(data: bytes) -> None:
    """Raises OutputError where standard output is a terminal, OSError where it cannot be written."""
    if sys.stdout.isatty():
        raise OutputError("standard output is a terminal; name a file with -o, or use a pipe")
    with standard_output():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def reason(error: OSError) -> str:
    """Why a file cannot be read or written, in words."""
    return "is closed" if error.errno == errno.EBADF else error.strerror or str(error)


def replace_closed_streams() -> None:
    """Give standard streams that were closed, as by `>&-`, something to stand for them.

    Python has None for such a stream, and the next file that is opened would get its number. Reading standard
    input and writing standard output then fail as they should; what goes to standard error is lost.
    """
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one, as those below it are taken.
            os.set_inheritable(os.open(os.devnull, mode), True)
    for number, stream in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, stream) is None:
            setattr(sys, stream, os.fdopen(number, "w" if number else "r", closefd=False))
