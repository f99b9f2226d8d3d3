"""The `jdc` command: one module a command, no logic. Heavy imports happen inside the commands."""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from jdcodec.cli import common
from jdcodec.cli.bench import bench
from jdcodec.cli.data import data
from jdcodec.cli.decode import decode
from jdcodec.cli.desktop import desktop
from jdcodec.cli.encode import encode
from jdcodec.cli.gmac import gmac
from jdcodec.cli.info import info
from jdcodec.cli.train import train
from jdcodec.cli.verify import verify
from jdcodec.cli.view import view
from jdcodec.errors import JdcError

app = typer.Typer(
    name="jdc",
    help="An image codec that denoises while it compresses.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(encode)
app.command()(decode)
app.command()(info)
app.command()(verify)
app.command()(view)
app.command()(bench)
app.command()(train)
app.command()(gmac)
app.add_typer(data)
app.add_typer(desktop)


def _print_version(wanted: bool) -> None:
    if wanted:
        from jdcodec import __version__

        typer.echo(f"jdc {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show tracebacks."),
) -> None:
    common.debug = debug or bool(os.environ.get("JDC_DEBUG"))


def main() -> None:
    """Run the command line. Exit status 0: done; 1: the input or the data; 2: usage; 130: interrupted."""
    signal.signal(signal.SIGTERM, _end)
    _print_any_name()
    try:
        app()
        status = 0
    except JdcError as error:
        if common.debug:
            raise
        common.complain(str(error))
        status = 1
    except ModuleNotFoundError as error:
        extra = common.EXTRAS.get((error.name or "").partition(".")[0])
        if common.debug or extra is None:
            raise
        common.complain(f"this needs {error.name}, which is not installed: pip install 'jdcodec[{extra}]'")
        status = 1
    except BrokenPipeError:
        # Whoever read our output has gone; nothing can be said to them any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except OSError as error:
        # What has no better words of its own, as a full disk behind standard output.
        if common.debug:
            raise
        place = f"{error.filename}: " if error.filename else ""
        common.complain(f"{place}{error.strerror or error}")
        status = 1
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    _leave(status)


def _print_any_name() -> None:
    """Let names of files that are no text, or that the terminal has no characters for, be printed."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        # Bytes that are not UTF-8 go out as they came in.
        in_utf8 = stream.encoding.lower().replace("-", "") == "utf8"
        stream.reconfigure(errors="surrogateescape" if in_utf8 else "backslashreplace")


def _leave(status: int) -> NoReturn:
    """End the process without tearing the interpreter down.

    A library may be half imported in the background by now, which an orderly shutdown would trip over; and
    freeing networks and thread pools takes a tenth of a second that nobody needs.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or 1
    os._exit(status)


def _end(number: int, frame: FrameType | None) -> None:
    """Leave on SIGTERM through the usual clean-up, so that no temporary file stays."""
    sys.exit(128 + number)
