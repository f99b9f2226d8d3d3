"""Points of a benchmark and the files that hold them.

`points.jsonl` grows by a line a point while a run goes on, which is what `--resume` reads. `results.json`
and the CSV files are written at the end; `docs/benchmarks.md` documents their fields.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from jdcodec.atomic import atomic_output
from jdcodec.errors import JdcError, OutputError

POINTS = "points.jsonl"
RESULTS = "results.json"
FORMAT = "jdc-bench"
VERSION = 1

_REQUIRED = ("image", "codec", "quality", "digest", "version", "command")
_TEXTS = ("image", "codec", "digest", "version", "command", "error")


@dataclass(frozen=True)
class Point:
    """One image coded by one codec at one quality; the measures are None where `error` says why it failed.

    Seconds are wall-clock, peaks in bytes (see `codec.Cost`); `digest` is the sample's, `version` and
    `command` are the codec's.
    """

    image: str
    codec: str
    quality: float
    digest: str
    version: str
    command: str
    error: str | None = None
    bytes: int | None = None
    bpp: float | None = None
    psnr: float | None = None
    ms_ssim: float | None = None
    ms_ssim_db: float | None = None
    ssimulacra2: float | None = None
    encode_seconds: float | None = None
    decode_seconds: float | None = None
    encode_peak_bytes: int | None = None
    decode_peak_bytes: int | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What has to be equal for a resumed run to take the point over."""
        return (self.image, self.codec, self.quality, self.digest, self.version, self.command)


def open_folder(folder: Path, *, resume: bool, force: bool) -> dict[tuple[object, ...], Point]:
    """Make the report's folder; returns the points of an earlier run in it by `Point.key`, for `resume`.

    With `force` an earlier run's points are dropped. Raises OutputError where the folder cannot be made or
    written to, and where it holds results and neither is asked for; JdcError for a points file that is not
    one.
    """
    points = folder / POINTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        earlier = points.read_text("utf-8") if points.is_file() else ""
        if earlier and not (resume or force):
            raise OutputError(
                f"{folder} holds the points of an earlier run: --resume goes on, --force starts again"
            )
        kept = _parse(earlier, points) if resume else []
        points.write_text("".join(_line(point) for point in kept), "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OutputError(f"{folder}: no report can be written there ({error})") from error
    return {point.key: point for point in kept}


def append(stream: TextIO, point: Point) -> None:
    """Add a point to the open `points.jsonl`, at once."""
    stream.write(_line(point))
    stream.flush()


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document as JSON. Raises OutputError."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write(path, text.encode())


def write_csv(path: Path, rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as CSV with a header line; None is an empty cell. Raises OutputError."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(path, stream.getvalue().encode())


def write(path: Path, data: bytes) -> None:
    """Write a file of the report, whole or not at all. Raises OutputError."""
    with atomic_output(path, force=True) as stream:
        stream.write(data)


def _line(point: Point) -> str:
    return json.dumps(asdict(point), ensure_ascii=False, allow_nan=False) + "\n"


def _parse(text: str, path: Path) -> list[Point]:
    """The points of a `points.jsonl`; an unfinished last line, left by a killed run, is dropped."""
    points = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            points.append(_point(json.loads(line)))
        except (ValueError, TypeError, RecursionError) as error:
            raise JdcError(
                f"{path}, line {number}: not a point of jdc bench; --force starts again"
            ) from error
    return points


def _point(entry: Any) -> Point:
    """A point from JSON; raises TypeError or ValueError for anything else."""
    point = Point(**entry)
    for name, value in entry.items():
        kinds = str if name in _TEXTS else (int, float)
        if not isinstance(value, kinds) and (value is not None or name in _REQUIRED):
            raise TypeError(f"{name} is {value!r}")
    return point
