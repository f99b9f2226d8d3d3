"""What `jdc bench` does, from its settings to the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console

from jdcodec.errors import JdcError

from .anchors import read_anchors
from .codec import Codec
from .document import document, write_tables
from .live import show_absent, show_verdict, watch
from .noise import parse_noise
from .pictures import choose_samples, compare
from .plots import write_plots
from .registry import Choice, choose
from .report import write_report
from .results import POINTS, RESULTS, Point, append, open_folder, write_json
from .runner import Entrant, Measuring, prepare, run
from .sets import PictureSet, ReadPixels, open_set, read_pixels
from .summary import expenses, summarise

DEFAULT_RIVALS = ("jpeg", "webp", "avif", "jxl")


@dataclass(frozen=True)
class BenchSettings:
    """What the command line says. `qualities` are words like "jpeg=10,50" or, for jdc, "1,3,5"."""

    folder: Path
    out: Path | None = None
    rivals: tuple[str, ...] = DEFAULT_RIVALS
    choice: Choice = field(default_factory=Choice)
    qualities: tuple[str, ...] = ()
    noise: str | None = None
    seed: int = 0
    name: str | None = None
    max_images: int | None = None
    jobs: int = 1
    resume: bool = False
    force: bool = False
    strict: bool = False
    anchors: Path | None = None
    show: tuple[str, ...] = ()
    ssimulacra2: bool = False


@dataclass(frozen=True)
class Outcome:
    """Where the report is, and how many of the points failed."""

    report: Path
    points: int
    failed: int


def bench(
    settings: BenchSettings,
    console: Console,
    *,
    codecs: Sequence[Codec] | None = None,
    read: ReadPixels = read_pixels,
) -> Outcome:
    """Run a benchmark and write its report folder.

    `codecs` stands in for the ones that the settings name, and `read` for the reader of pictures. Raises
    JdcError (PhotoError, OutputError among them) for input that cannot be used; with `strict` also for a
    codec that cannot run here and, once the report is written, for points that failed.
    """
    _require_packages(settings.ssimulacra2)
    codecs = codecs or choose(("jdc", *settings.rivals), settings.choice)
    qualities = parse_qualities(settings.qualities)
    pictures = open_set(
        settings.folder,
        noise=parse_noise(settings.noise) if settings.noise else (),
        seed=settings.seed,
        max_images=settings.max_images,
        name=settings.name,
        read=read,
    )
    samples = choose_samples(pictures, settings.show)
    anchors = read_anchors(settings.anchors, pictures.name) if settings.anchors else ()
    entrants, absent = prepare(codecs, qualities, settings.strict)
    show_absent(absent, console)
    if not entrants:
        raise JdcError("none of the codecs can run here")
    # Last of what can go wrong early: with --force this drops an earlier run's points.
    folder = settings.out or Path(f"bench-{settings.folder.resolve().name}")
    done = open_folder(folder, resume=settings.resume, force=settings.force)

    points = _code(
        pictures, entrants, done, Measuring(read, settings.jobs, settings.ssimulacra2), folder, console
    )
    groups = summarise(pictures, entrants, points)
    result = document(
        pictures, entrants, absent, points, groups, expenses(pictures, points), _shown(settings)
    )
    write_json(folder / RESULTS, result)
    write_tables(folder, points, groups)
    write_plots(folder / "plots", pictures.name, groups, anchors)
    console.print("coding the pictures to show …", markup=False)
    report = folder / "report.html"
    write_report(report, result, anchors, [compare(sample, entrants, read) for sample in samples])
    show_verdict(groups, points, console)
    failed = sum(point.error is not None for point in points)
    if settings.strict and failed:
        raise JdcError(f"{failed} of {len(points)} points failed, see {report}")
    return Outcome(report, len(points), failed)


def _code(
    pictures: PictureSet,
    entrants: Sequence[Entrant],
    done: Mapping[tuple[object, ...], Point],
    measuring: Measuring,
    folder: Path,
    console: Console,
) -> list[Point]:
    """Run the codecs, keeping each new point in the folder as it comes."""
    points: list[Point] = []
    with (folder / POINTS).open("a", encoding="utf-8") as stream:
        running = run(pictures, entrants, done, measuring)
        for point in watch(running, entrants, len(pictures.samples), console):
            points.append(point)
            if done.get(point.key) is not point:
                append(stream, point)
    return points


def _require_packages(ssimulacra2: bool) -> None:
    """Miss a package at the start and not after hours of coding. Raises JdcError."""
    missing = [name for name in ("bjontegaard", "matplotlib", "pytorch_msssim") if not find_spec(name)]
    if missing:
        raise JdcError(f"jdc bench needs {', '.join(missing)}: pip install 'jdcodec[bench]'")
    if ssimulacra2 and not find_spec("ssimulacra2"):
        raise JdcError("--ssimulacra2 needs a package of its own: pip install ssimulacra2")


def parse_qualities(words: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Qualities by codec from words like "jpeg=10,50"; a word without a name is for jdc. Raises JdcError."""
    qualities: dict[str, tuple[float, ...]] = {}
    for word in words:
        name, _, listed = word.rpartition("=")
        try:
            values = tuple(float(value) for value in listed.split(","))
        except ValueError:
            raise JdcError(
                f"qualities {word!r}: write them as 1,3,5 for jdc or jpeg=10,50 for jpeg"
            ) from None
        qualities[name or "jdc"] = values
    return qualities


def _shown(settings: BenchSettings) -> Mapping[str, Any]:
    """The settings that bear on the results, as JSON values."""
    return {
        "rivals": list(settings.rivals),
        "model": settings.choice.model,
        "denoise": settings.choice.denoise,
        "device": settings.choice.device,
        "time_limit": settings.choice.time_limit,
        "noise": settings.noise,
        "seed": settings.seed,
        "max_images": settings.max_images,
        "jobs": settings.jobs,
    }
