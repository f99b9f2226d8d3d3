"""Many photos at once: what has been done so far, in a bar while it lasts and in a line at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Done:
    """One finished photo. bytes_in: 0 where a comparison with the size of the output would say nothing."""

    pixels: int = 0
    bytes_in: int = 0
    bytes_out: int = 0


@dataclass
class Tally:
    """The sum over finished photos. finished: files dealt with, failed and skipped ones included."""

    finished: int = 0
    photos: int = 0
    skipped: int = 0
    pixels: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    started: float = field(default_factory=time.monotonic)

    def add(self, done: Done | None) -> None:
        """Count one more file; None for one that failed or is not counted further."""
        self.finished += 1
        if done is None:
            return
        self.photos += 1
        self.pixels += done.pixels
        self.bytes_in += done.bytes_in
        self.bytes_out += done.bytes_out

    def skip(self, count: int) -> None:
        """Count files whose output is up to date, so that nothing is done."""
        self.finished += count
        self.skipped += count

    @property
    def speed(self) -> str:
        """Megapixels per second since the start."""
        return f"{self.pixels / 1e6 / max(time.monotonic() - self.started, 1e-3):.2f} MP/s"

    def __str__(self) -> str:
        """One line."""
        skipped = f"{self.skipped} up to date" if self.skipped else ""
        if not self.photos:
            return skipped
        count = f"{self.photos} photo{'s' if self.photos > 1 else ''}"
        return ", ".join(part for part in (count, self._sizes(), self.speed, skipped) if part)

    def _sizes(self) -> str:
        if not self.bytes_in:
            return _megabytes(self.bytes_out)
        saved = 1 - self.bytes_out / self.bytes_in
        change = f"{saved:.0%} saved" if saved >= 0 else f"{-saved:.0%} more"
        return f"{_megabytes(self.bytes_in)} to {_megabytes(self.bytes_out)} ({change})"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size < 10e6 else f"{size / 1e6:,.0f} MB"


@contextmanager
def progress_bar(sources: Sequence[str], tally: Tally, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A bar on standard error where that is a terminal; yields what moves it past one of `sources`.

    The bar and the time left go by the size of the files, since pixels are counted only when they are read.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda source: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        *(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}")),
        TimeRemainingColumn(),
    )
    sizes = {source: _size(source) for source in sources}
    count = tally.finished + len(sources)
    # Lines on standard output go above the bar, but only where both share the terminal.
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with bar:
        task = bar.add_task(f"{tally.finished}/{count}", total=sum(sizes.values()), speed="")

        def advance(source: str) -> None:
            speed = tally.speed if tally.pixels else ""
            bar.update(
                task,
                advance=sizes[source],
                description=f"{tally.finished}/{count}",
                speed=speed,
                refresh=True,
            )

        yield advance


def _size(source: str) -> int:
    try:
        return max(1, Path(source).stat().st_size)
    except OSError:
        return 1
