"""Running `jdc` inside the tests' own process: starting Python and torch anew takes seconds."""

from __future__ import annotations

from typer.testing import CliRunner, Result

from jdcodec.cli import app


def jdc(*arguments: object) -> Result:
    """Run a command; the result holds exit code, output, and an error that the command would report."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])
