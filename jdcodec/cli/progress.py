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
    """One finished photo; `skipped` where its output was up to date and nothing was done."""

    pixels: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    skipped: bool = False


@dataclass
class Tally:
    """The sum over finished photos. finished: files dealt with, failed ones included."""

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
        self.skipped += done.skipped
        self.pixels += done.pixels
        self.bytes_in += done.bytes_in
        self.bytes_out += done.bytes_out

    @property
    def speed(self) -> str:
        """Megapixels per second since the start."""
        return f"{self.pixels / 1e6 / max(time.monotonic() - self.started, 1e-3):.2f} MP/s"

    def __str__(self) -> str:
        """One line."""
        skipped = f"{self.skipped} up to date" if self.skipped else ""
        coded = self.photos - self.skipped
        if not coded:
            return skipped
        saved = 1 - self.bytes_out / max(1, self.bytes_in)
        change = f"{saved:.0%} saved" if saved >= 0 else f"{-saved:.0%} more"
        parts = (
            f"{coded} photo{'s' if coded > 1 else ''}",
            f"{_megabytes(self.bytes_in)} to {_megabytes(self.bytes_out)} ({change})",
            self.speed,
            skipped,
        )
        return ", ".join(part for part in parts if part)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size < 10e6 else f"{size / 1e6:,.0f} MB"


@contextmanager
def progress_bar(sources: Sequence[str], tally: Tally, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar on standard error where that is a terminal; yields what moves it past the next of `sources`.

    The bar and the time left go by the size of the files, since pixels are counted only when they are read.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        *(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[speed]}")),
        TimeRemainingColumn(),
    )
    sizes = [_size(source) for source in sources]
    # Lines on standard output go above the bar, but only where both share the terminal.
    bar = Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty()
    )
    with bar:
        task = bar.add_task(f"0/{len(sizes)}", total=sum(sizes), speed="")

        def advance() -> None:
            done = tally.finished
            speed = tally.speed if tally.pixels else ""
            bar.update(
                task, advance=sizes[done - 1], description=f"{done}/{len(sizes)}", speed=speed, refresh=True
            )

        yield advance


def _size(source: str) -> int:
    try:
        return max(1, Path(source).stat().st_size)
    except OSError:
        return 1
