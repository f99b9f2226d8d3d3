"""`jdc verify`: are `.jdc` files intact?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from jdcodec.cli import common
from jdcodec.cli.common import STANDARD, Job

if TYPE_CHECKING:
    from jdcodec.codec.verify import Verdict


def verify(
    files: list[str] = typer.Argument(
        ..., metavar="FILE...", help=".jdc files, folders of them, or - for standard input."
    ),
    symbols: bool = typer.Option(
        False, "--symbols", help="Decode the tiles' symbols, too: slower, needs the file's model."
    ),
    model: list[str] = typer.Option(
        [],
        "--model",
        metavar="FILE",
        help="Weights file to look in before the shipped ones, for --symbols.",
    ),
    recursive: bool = typer.Option(False, "-r", "--recursive", help="Read folders below folders too."),
    as_json: bool = typer.Option(False, "--json", help="Print a line of JSON for each file."),
    quiet: bool = typer.Option(False, "--quiet", help="Print damaged files only."),
) -> None:
    """Check the checksums of .jdc files: fast, without decoding them.

    jdc verify photos/ --recursive
    """
    from jdcodec.errors import DamagedError

    planned = common.plan_jobs(files, None, suffix=".jdc", endings=frozenset({".jdc"}), recursive=recursive)

    def work(job: Job) -> None:
        name = common.source_name(job.source)
        verdict = _verdict(job.source, symbols, tuple(model))
        if as_json:
            facts = {
                "file": name,
                "intact": verdict.intact,
                "tiles": verdict.tile_count,
                "lost": verdict.lost,
                "problems": verdict.problems,
            }
            common.say_json(facts)
        if not verdict.intact:
            raise DamagedError(f"{name}: {verdict}")
        if not (as_json or quiet):
            common.say(
                f"{name}: intact, {verdict.tile_count} {'tile' if verdict.tile_count == 1 else 'tiles'}"
            )

    common.run_jobs([replace(job, target=STANDARD) for job in planned], work, quiet=quiet or as_json)


def _verdict(source: str, symbols: bool, models: tuple[str, ...]) -> Verdict:
    from jdcodec.codec.verify import verify as verify_sections
    from jdcodec.codec.verify import verify_symbols
    from jdcodec.errors import JdcError

    data = common.read_input(source)
    try:
        return verify_symbols(data, models=models) if symbols else verify_sections(data)
    except JdcError as error:
        raise type(error)(f"{common.source_name(source)}: {error}") from error
