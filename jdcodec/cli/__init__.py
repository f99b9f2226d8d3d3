"""The `jdc` command: one module a command, no logic. Heavy imports happen inside the commands."""

from __future__ import annotations

import io
import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from jdcodec.cli import common, streams
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
from jdcodec.errors import OptionError


class _Commands(TyperGroup):
    """The commands, none of which takes an empty name: Python would take it for the current folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Shell completion parses what has been typed so far, and resiliently.
        if not ctx.resilient_parsing:
            _refuse_empty(args)
        return super().parse_args(ctx, args)


def _refuse_empty(args: list[str]) -> None:
    """Raise OptionError for an argument such as "", or an option such as --output= without a value."""
    options = args[: args.index("--")] if "--" in args else args
    bare = next((arg for arg in options if arg.startswith("--") and arg.find("=") == len(arg) - 1), None)
    if bare is not None:
        raise OptionError(f"{bare} has an empty value; is a variable of the shell not set?")
    if "" in args:
        place = f"after {args[args.index('') - 1]}" if args[0] else "at the start"
        raise OptionError(f"the argument {place} is empty; is a variable of the shell not set?")


app = typer.Typer(
    name="jdc",
    cls=_Commands,
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
    common.end_cleanly_on_sigterm()
    streams.replace_closed_streams()
    _print_any_name()
    try:
        app()
        status = 0
    except BrokenPipeError:
        # Whoever read our output has gone; nothing can be said to them any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except Exception as error:
        if common.debug:
            raise
        common.complain(common.in_words(error))
        status = 2 if isinstance(error, OptionError) else 1
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
