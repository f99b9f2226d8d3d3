"""`results.json` and the CSV files from what a run produced. `docs/benchmarks.md` describes every field."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import jdcodec

from .results import FORMAT, VERSION, Point, write_csv
from .runner import Absent, Entrant
from .sets import PictureSet, Sample
from .summary import Expense, GroupSummary, MeanPoint

CURVE_COLUMNS = ("group", "codec", *(field.name for field in fields(MeanPoint)))
POINT_COLUMNS = tuple(field.name for field in fields(Point))


def document(
    pictures: PictureSet,
    entrants: Sequence[Entrant],
    absent: Sequence[Absent],
    points: Sequence[Point],
    groups: Sequence[GroupSummary],
    expenses: Mapping[str, Expense],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything about a run as JSON values; `settings` are the caller's, already JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "made": {
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "jdcodec": jdcodec.__version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "settings": dict(settings),
        },
        "set": {
            "name": pictures.name,
            "kind": pictures.kind,
            "images": [_image(sample) for sample in pictures.samples],
        },
        "codecs": [_codec(entrant, expenses.get(entrant.codec.name)) for entrant in entrants],
        "absent": [asdict(a) for a in absent],
        "groups": [asdict(group) for group in groups],
        "points": [asdict(point) for point in points],
    }


def _image(sample: Sample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "file": sample.source.name,
        "noise": sample.noise.name if sample.noise else None,
        "seed": sample.seed if sample.noise else None,
        "width": sample.width,
        "height": sample.height,
        "digest": sample.digest,
        "input_psnr": sample.input_psnr,
        "input_ms_ssim": sample.input_ms_ssim,
    }


def _codec(entrant: Entrant, expense: Expense | None) -> dict[str, Any]:
    return {
        "name": entrant.codec.name,
        "title": entrant.codec.title,
        "kind": entrant.codec.kind,
        "version": entrant.version,
        "qualities": list(entrant.qualities),
        "commands": [entrant.codec.command(quality) for quality in entrant.qualities],
        "expense": asdict(expense) if expense else None,
    }


def write_tables(folder: Path, points: Sequence[Point], groups: Sequence[GroupSummary]) -> None:
    """Write `points.csv`, a line a point, and `curves.csv`, a line a mean point. Raises OutputError."""
    write_csv(folder / "points.csv", map(asdict, points), POINT_COLUMNS)
    rows = (
        {"group": group.name, "codec": codec, **asdict(point)}
        for group in groups
        for codec, curve in group.curves.items()
        for point in curve
    )
    write_csv(folder / "curves.csv", rows, CURVE_COLUMNS)


def _processor() -> str:
    """The processor's name, since times mean nothing without it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} threads" if names else platform.processor()
