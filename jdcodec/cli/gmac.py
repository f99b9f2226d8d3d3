"""`jdc gmac`: what networks cost to run, part by part."""

from __future__ import annotations

import json
from typing import Annotated

import typer

_TIMING = "Timing"


def gmac(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="A network of ours (fast, best), a weights file or checkpoint, or a system of the "
            "papers (manypriors, hyperprior, unet, guided-128, …). All of them, if none is named.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    count_only: Annotated[
        bool, typer.Option("--count-only", help="Do not run the networks.", rich_help_panel=_TIMING)
    ] = False,
    side: Annotated[
        int,
        typer.Option(
            min=64,
            max=8192,
            help="Side of the picture that is timed, in pixels; a multiple of 64.",
            rich_help_panel=_TIMING,
        ),
    ] = 256,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, …", rich_help_panel=_TIMING)
    ] = "auto",
    bf16: Annotated[
        bool,
        typer.Option(
            "--bf16",
            help="Cast convolutions to bfloat16, as jdc encode does where the hardware is fast at it.",
            rich_help_panel=_TIMING,
        ),
    ] = False,
) -> None:
    """Count and time networks: ours, and those of the papers.

    Prints multiply–accumulates, parameters, memory and seconds of encoder, entropy model and decoder.

    jdc gmac fast manypriors
    """
    from rich.console import Console

    from jdcodec.gmac.command import measure_models
    from jdcodec.gmac.report import CONVENTION, print_tables

    notes = Console(stderr=True)
    survey = measure_models(
        models or (), time_on=None if count_only else device, bf16=bf16, side=side, notes=notes
    )
    if as_json:
        reports = [report.as_dict() for report in survey.reports]
        typer.echo(
            json.dumps(
                {"convention": CONVENTION, "timed_on": survey.timed_on, "side": side, "models": reports}
            )
        )
    else:
        print_tables(survey.reports, Console(), survey.timed_on)
