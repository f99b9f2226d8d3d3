"""How many machines a job needs, how long and at what cost: arithmetic on figures of a small run.

    python -m jdcodec.cluster.capacity jdc-manifest.jsonl --photos 10000000 --megapixels 24

prints what a run's manifest measured, the start of the workers apart from their pace, and the table of
docs/scale.md, where the formulas are explained.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from jdcodec.cluster.job import Record
from jdcodec.errors import ClusterError, JdcError

# Bytes of manifest for a photo: its line, and its place in the line of its batch.
_MANIFEST_LINE = 700
_REQUESTS = 2  # a photo is got, a file is put
_LISTED = 1000  # names in an answer of S3

_T = TypeVar("_T")


@dataclass(frozen=True)
class Load:
    """One photo on one worker with one thread, in the mean.

    seconds: coding, or fetching where that takes longer, and writing. megapixels, bytes_in, bytes_out: of a
    photo. Raises ClusterError unless seconds and megapixels are above 0 and all are finite.
    """

    seconds: float
    megapixels: float
    bytes_in: float
    bytes_out: float

    def __post_init__(self) -> None:
        figures = (self.seconds, self.megapixels, self.bytes_in, self.bytes_out)
        if not all(map(math.isfinite, figures)) or min(figures[:2]) <= 0 or min(figures[2:]) < 0:
            raise ClusterError(
                f"a photo of {self.megapixels:g} megapixels in {self.seconds:g} s, "
                f"{self.bytes_in:g} bytes to {self.bytes_out:g}, is none to reckon with"
            )

    def scaled(self, megapixels: float) -> Load:
        """The same for photos of another size: all figures are taken to grow with the pixels."""
        ratio = megapixels / self.megapixels
        return Load(self.seconds * ratio, megapixels, self.bytes_in * ratio, self.bytes_out * ratio)


@dataclass(frozen=True)
class Plan:
    """A job of `photos` on `workers` that are busy for the share `busy` of the time; batches of `batch`."""

    load: Load
    photos: int
    workers: int
    busy: float = 0.9
    batch: int = 8

    @property
    def worker_hours(self) -> float:
        """Hours of a worker's core, or GPU, that are paid for."""
        return self.photos * self.load.seconds / 3600 / self.busy

    @property
    def hours(self) -> float:
        """Hours by the clock."""
        return self.worker_hours / self.workers

    @property
    def photos_per_second(self) -> float:
        """Of all workers together."""
        return self.photos / (3600 * self.hours)

    @property
    def gigabits_in(self) -> float:
        """Gbit/s out of the store, all workers together."""
        return 8e-9 * self.load.bytes_in * self.photos_per_second

    @property
    def gigabits_out(self) -> float:
        """Gbit/s into the store."""
        return 8e-9 * self.load.bytes_out * self.photos_per_second

    @property
    def requests_per_second(self) -> float:
        """To the store: a read and a write a photo."""
        return _REQUESTS * self.photos_per_second

    @property
    def batches_per_second(self) -> float:
        """Tasks that scheduler and driver deal with."""
        return self.photos_per_second / self.batch

    @property
    def list_requests(self) -> float:
        """For listing inputs and outputs once."""
        return 2 * self.photos / _LISTED


def measure(lines: Iterable[str]) -> dict[str, tuple[int, Load]]:
    """Photos and the mean load of the "done" lines of a manifest, by kind of device ("cpu", "cuda").

    The first photo of each worker is left out, as it waits for the network. Raises ClusterError where a line
    is none of a manifest.
    """
    samples: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    seen: set[str] = set()
    for worker, device, sample in _read(lines, _sample):
        if worker in seen:
            samples[device].append(sample)
        seen.add(worker)
    return {
        device: (len(rows), Load(*(sum(column) / len(rows) for column in zip(*rows))))
        for device, rows in samples.items()
    }


@dataclass(frozen=True)
class Pace:
    """What the workers of a run did together.

    warm_up: seconds from the start of the run until each worker had done a photo. photos, megapixels: per
    second, for each worker from its first photo, which does not count, to the end of the run.
    """

    workers: int
    warm_up: float
    photos: float
    megapixels: float


def pace(lines: Iterable[str]) -> Pace | None:
    """Of the last run in a manifest; None where no photo was done in it.

    Raises ClusterError where a line is none of a manifest.
    """
    began, end = math.inf, -math.inf
    first: dict[str, float] = {}
    warm: dict[str, list[float]] = {}
    for at, worker, pixels in _read(lines, _moment):
        if worker is None:
            began, end = at, -math.inf
            first.clear()
            warm.clear()
            continue
        end = max(end, at)
        if worker in first:
            warm[worker].append(pixels)
        else:
            first[worker], warm[worker] = at, []
    if not first or began == math.inf:
        return None
    spans = {worker: max(end - first[worker], 1e-3) for worker in warm}
    photos = sum(len(rows) / spans[worker] for worker, rows in warm.items())
    megapixels = sum(sum(rows) / spans[worker] for worker, rows in warm.items())
    return Pace(len(first), max(first.values()) - began, photos, megapixels)


def _read(lines: Iterable[str], take: Callable[[Record], _T | None]) -> Iterator[_T]:
    """What `take` finds in each line of a manifest, None left out; its errors become a ClusterError."""
    for number, line in enumerate(lines, 1):
        try:
            taken = take(json.loads(line))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ClusterError(f"line {number} is not one of a manifest") from error
        if taken is not None:
            yield taken


def _sample(record: Record) -> tuple[str, str, tuple[float, ...]] | None:
    """Worker, device and the fields of a `Load`."""
    if record["state"] != "done":
        return None
    pixels = record["width"] * record["height"] / 1e6
    # The next photo is fetched while one is coded.
    times = [float(record[name]) for name in ("fetch_seconds", "seconds", "write_seconds")]
    seconds = max(times[:2]) + times[2]
    sample = (seconds, float(pixels), float(record["input_bytes"]), float(record["bytes"]))
    if not all(math.isfinite(figure) for figure in (*sample, *times)) or min(*sample) <= 0:
        raise ValueError("sizes and times of a photo are above 0")
    return str(record["worker"]), str(record["device"]).partition(":")[0], sample


def _moment(record: Record) -> tuple[float, str | None, float] | None:
    """When a run began (no worker), or which worker had done how many megapixels."""
    if record["state"] not in ("run", "done") or "at" not in record:
        return None
    at = float(record["at"])
    is_run = record["state"] == "run"
    pixels = 0.0 if is_run else float(record["width"] * record["height"] / 1e6)
    if not (math.isfinite(at) and math.isfinite(pixels)):
        raise ValueError("times and sizes are finite")
    return at, None if is_run else str(record["worker"]), pixels


def table(load: Load, photos: int, workers: Sequence[int], *, busy: float, batch: int) -> Iterator[str]:
    """The table of docs/scale.md, in Markdown, a line at a time."""
    columns = (
        "workers",
        "hours",
        "worker-hours",
        "photos/s",
        "Gbit/s in",
        "Gbit/s out",
        "requests/s",
        "batches/s",
    )
    yield f"| {' | '.join(columns)} |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|"
    for count in workers:
        plan = Plan(load, photos, count, busy, batch)
        figures = (
            *(plan.hours, plan.worker_hours, plan.photos_per_second, plan.gigabits_in, plan.gigabits_out),
            *(plan.requests_per_second, plan.batches_per_second),
        )
        yield f"| {count:,} | " + " | ".join(_figure(figure) for figure in figures) + " |"


def _figure(value: float) -> str:
    """Two digits at least, and no more than are worth anything."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _report(
    manifest: Path | None = typer.Argument(None, help="Of a run on the machines in question."),
    photos: int = typer.Option(10_000_000, min=1),
    megapixels: float = typer.Option(24.0, min=0.001, help="Of a photo of the job."),
    seconds: float | None = typer.Option(
        None, min=1e-6, help="A photo takes on one worker, where not measured."
    ),
    megabytes_in: float = typer.Option(10.0, min=0, help="Of a photo, where not measured."),
    megabytes_out: float = typer.Option(2.0, min=0, help="Of a .jdc file, where not measured."),
    workers: str = typer.Option("1,16,64,256,1024", help="Counts of workers, separated by commas."),
    busy: float = typer.Option(0.9, min=0.01, max=1, help="Share of the time that workers have work."),
    batch: int = typer.Option(8, min=1, help="Photos a batch."),
) -> None:
    """Workers, hours and cost of a large job, from the manifest of a small one or from figures."""
    counts = _counts(workers)
    sizes = {"--megabytes-in": megabytes_in, "--megabytes-out": megabytes_out}
    figures = {"--megapixels": megapixels, "--seconds": seconds or 1.0, "--busy": busy, **sizes}
    for option, figure in figures.items():
        if not math.isfinite(figure):
            raise typer.BadParameter(f"{figure} is no figure to reckon with", param_hint=option)
    if (manifest is None) == (seconds is None):
        raise typer.BadParameter("give the manifest of a run, or --seconds a photo", param_hint="MANIFEST")
    if manifest is None:
        assert seconds is not None
        loads = {"given": Load(seconds, megapixels, 1e6 * megabytes_in, 1e6 * megabytes_out)}
    else:
        loads = {device: load.scaled(megapixels) for device, load in _say_measured(manifest).items()}
    for device, load in loads.items():
        plan = Plan(load, photos, 1, busy, batch)
        read, written, kept = (photos * size for size in (load.bytes_in, load.bytes_out, _MANIFEST_LINE))
        typer.echo(f"{device}: {photos:,} photos of {megapixels:g} megapixels, {load.seconds:.3g} s each")
        typer.echo(
            f"{_figure(read / 1e12)} TB read, {_figure(written / 1e12)} TB written, "
            f"{_figure(kept / 1e9)} GB of manifest, "
            f"{plan.list_requests:,.0f} requests to list\n"
        )
        for line in table(load, photos, counts, busy=busy, batch=batch):
            typer.echo(line)


def _counts(text: str) -> list[int]:
    """The value of --workers; raises BadParameter."""
    try:
        counts = [int(count) for count in text.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise typer.BadParameter(f"{text!r}: must be counts such as 16,64", param_hint="--workers")
    return counts


def _say_measured(manifest: Path) -> dict[str, Load]:
    """Print what a run measured; returns the mean load by kind of device. Raises ClusterError."""
    together, measured = _measured(manifest)
    if together is not None:
        typer.echo(
            f"workers: {together.workers}, all warm after {together.warm_up:.3g} s; from then on "
            f"{together.photos:.3g} photos/s, {together.megapixels:.3g} MP/s together\n"
        )
    for device, (count, load) in measured.items():
        speed = load.megapixels / load.seconds
        typer.echo(
            f"{device}: {count} photos of {load.megapixels:.3g} megapixels, {load.seconds:.3g} s each on "
            f"one worker thread ({speed:.3g} MP/s), {load.bytes_in / 1e6:.3g} MB to "
            f"{load.bytes_out / 1e6:.3g} MB\n"
        )
    return {device: load for device, (_, load) in measured.items()}


def _measured(manifest: Path) -> tuple[Pace | None, dict[str, tuple[int, Load]]]:
    try:
        with manifest.open(encoding="utf-8", errors="surrogateescape") as lines:
            found = measure(lines)
            lines.seek(0)
            together = pace(lines)
    except OSError as error:
        raise ClusterError(f"{manifest}: {error.strerror}") from error
    except ClusterError as error:
        raise ClusterError(f"{manifest}: {error}") from error
    if not found:
        raise ClusterError(
            f"{manifest}: fewer than two photos were done by any worker; nothing to reckon with"
        )
    return together, found


def main() -> None:
    """Exit status 1 for a manifest that is none, 2 for usage."""
    try:
        typer.run(_report)
    except JdcError as error:
        typer.echo(f"jdc: {error}", err=True)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
