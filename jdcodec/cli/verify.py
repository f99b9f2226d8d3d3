"""`jdc verify`: are `.jdc` files intact?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from jdcodec.cli import common, options
from jdcodec.cli.jobs import Job, plan_reading
from jdcodec.cli.running import json_failure_of_file, run_jobs
from jdcodec.cli.streams import named, read_input, source_name
from jdcodec.container.layout import MAX_PIXELS, MAX_SIDE, Limits

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
    recursive: options.Recursive = False,
    as_json: options.Json = False,
    quiet: bool = typer.Option(False, "--quiet", help="Print damaged files only."),
    max_pixels: options.MaxPixels = MAX_PIXELS,
    max_side: options.MaxSide = MAX_SIDE,
) -> None:
    """Check the checksums of .jdc files: fast, without decoding them.

    jdc verify photos/ --recursive
    """
    from jdcodec.errors import DamagedError

    limits = Limits(max_side, max_pixels)
    jobs = plan_reading(files, endings=frozenset({".jdc"}), recursive=recursive)

    def work(job: Job) -> Verdict:
        return _verdict(job.source, symbols, tuple(model), limits)

    def finish(job: Job, verdict: Verdict) -> None:
        name = source_name(job.source)
        if as_json:
            facts = {
                "file": job.source,
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

    run_jobs(
        jobs,
        work,
        quiet=quiet or as_json,
        finish=finish,
        fail=json_failure_of_file if as_json else None,
    )


def _verdict(source: str, symbols: bool, models: tuple[str, ...], limits: Limits) -> Verdict:
    from jdcodec.codec.verify import verify as verify_sections
    from jdcodec.codec.verify import verify_symbols

    data = read_input(source)
    with named(source_name(source)):
        return verify_symbols(data, limits, models) if symbols else verify_sections(data, limits)
