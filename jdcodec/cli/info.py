"""`jdc info`: what is in a `.jdc` file, without decoding it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import typer

from jdcodec.cli import common, options
from jdcodec.cli.jobs import Job, plan_reading
from jdcodec.cli.running import json_failure_of_file, run_jobs
from jdcodec.cli.streams import named, opened, source_name
from jdcodec.container.layout import MAX_PIXELS, MAX_SIDE, Limits

_LABELS = {"iso": "ISO", "gps": "GPS"}


def info(
    files: list[str] = typer.Argument(
        ..., metavar="FILE...", help=".jdc files, folders of them, or - for standard input."
    ),
    recursive: options.Recursive = False,
    as_json: options.Json = False,
    max_pixels: options.MaxPixels = MAX_PIXELS,
    max_side: options.MaxSide = MAX_SIDE,
) -> None:
    """Show size, quality, model and metadata of .jdc files.

    jdc info photo.jdc --json
    """
    limits = Limits(max_side, max_pixels)
    jobs = plan_reading(files, endings=frozenset({".jdc"}), recursive=recursive)

    def work(job: Job) -> dict[str, Any]:
        return _facts(job.source, limits)

    def finish(job: Job, facts: dict[str, Any]) -> None:
        if as_json:
            common.say_json({"file": job.source} | facts)
        else:
            for name, value in ({"file": source_name(job.source)} | facts).items():
                # What the photo says nothing about is left out.
                if value != "" and value is not None:
                    common.say(f"{_LABELS.get(name, name.replace('_', ' ')):>14}  {_words(value)}")
            if len(jobs) > 1:
                common.say("")

    run_jobs(jobs, work, quiet=True, finish=finish, fail=json_failure_of_file if as_json else None)


def _facts(source: str, limits: Limits) -> dict[str, Any]:
    from jdcodec.codec.info import read_info

    with opened(source) as file, named(source_name(source)):
        known = read_info(file, limits)
    facts = {field.name: getattr(known, field.name) for field in fields(known)}
    metadata = facts.pop("metadata")
    facts["grain"] = _grain(metadata.grain)
    for kind in ("exif", "xmp", "icc", "grain"):
        payload = getattr(metadata, kind)
        facts[f"{kind}_bytes"] = len(payload) if payload is not None else 0
    return facts


def _grain(payload: bytes | None) -> dict[str, Any] | str | None:
    """The look of the removed noise, or what is wrong with its section; None where there is none."""
    from jdcodec.container.grain import unpack_grain
    from jdcodec.errors import FormatError

    if payload is None:
        return None
    try:
        grain = unpack_grain(payload)
    except FormatError as error:
        return f"unreadable: {error}"
    luma, co, cg = ([round(value, 2) for value in channel] for channel in grain.deviation_levels)
    return {
        "seed": grain.seed,
        "luma_deviation": luma,
        "co_deviation": co,
        "cg_deviation": cg,
        "luma_bands": list(grain.luma_bands),
        "chroma_bands": list(grain.chroma_bands),
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        # Deviations of brightness, from black to white.
        deviation = value["luma_deviation"]
        return f"{min(deviation):.1f} to {max(deviation):.1f} of 255 levels of noise were removed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
