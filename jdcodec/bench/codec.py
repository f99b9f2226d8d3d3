"""What a codec under test is to the runner: a name, a scale of qualities, and `code`, there and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from jdcodec.errors import JdcError

from .metrics import Pixels

Result = TypeVar("Result")


class Unavailable(JdcError):
    """A codec cannot run here: a program or package is missing. The message says how to get it."""


class CodecFailure(Exception):
    """A codec crashed, took too long, or wrote nothing or a wrong size. Costs it one point, not the run."""


@dataclass(frozen=True)
class Cost:
    """Wall-clock seconds of one call, and its peak memory in bytes where that could be measured.

    For a program both are of the whole process, start-up and reading of its input included. For a library
    they are of the call alone, in a warm process: memory is by how much the process's peak grew. What a
    library keeps between calls, such as loaded weights and compiled networks, is in neither.
    """

    seconds: float
    peak_bytes: int | None

    def __add__(self, other: Cost) -> Cost:
        """Cost of one call after the other."""
        peaks = [p for p in (self.peak_bytes, other.peak_bytes) if p is not None]
        return Cost(self.seconds + other.seconds, max(peaks, default=None))


@dataclass(frozen=True)
class Coded:
    """One picture coded and decoded: the file's bytes, what a decoder made of them, and what both cost."""

    data: bytes
    pixels: Pixels
    encode: Cost
    decode: Cost


@dataclass(frozen=True)
class Scale:
    """A codec's quality scale: where it is `worst` and `best` (bpg counts down), and its finest `step`.

    A scale with steps of 1 takes whole numbers only. `grid` are the qualities that a benchmark runs by
    default, from worst to best.
    """

    worst: float
    best: float
    step: float
    grid: tuple[float, ...]

    def at(self, index: int) -> float:
        """The quality `index` steps above the worst."""
        direction = 1 if self.best > self.worst else -1
        return round(self.worst + direction * index * self.step, 6)

    def holds(self, quality: float) -> bool:
        """Whether the codec takes `quality`."""
        low, high = sorted((self.worst, self.best))
        return low <= quality <= high and (self.step != 1 or quality == round(quality))


class Codec(Protocol):
    """A codec under test: those of `libraries`, `programs`, `ours`, `reference` and `denoisers`."""

    @property
    def name(self) -> str:
        """As in `--vs`."""

    @property
    def title(self) -> str:
        """For people, as in a legend."""

    @property
    def kind(self) -> str:
        """ "library": runs in this process, warm; "program": a process for each call."""

    @property
    def scale(self) -> Scale:
        """The qualities it takes."""

    def prepare(self) -> str:
        """Load what it needs and warm up; returns its version. Raises Unavailable where it cannot run."""

    def command(self, quality: float) -> str:
        """The exact commands or calls of `code`, as one would type them."""

    def code(self, pixels: Pixels, quality: float) -> Coded:
        """Encode (H, W, 3) uint8 pixels at one quality and decode the file. Raises CodecFailure."""


def checked(coded: Coded, pixels: Pixels) -> Coded:
    """`coded` if it is a file with content that decodes to the size of `pixels`; else raises CodecFailure."""
    if not coded.data:
        raise CodecFailure("wrote an empty file")
    if coded.pixels.shape != pixels.shape:
        got, asked = (f"{p.shape[1]} × {p.shape[0]}" for p in (coded.pixels, pixels))
        raise CodecFailure(f"decoded to {got} pixels, not {asked}")
    return coded


def guarded(function: Callable[[], Result], doing: str) -> Result:
    """`function()`; whatever it raises becomes a CodecFailure, as a library may fail in any way."""
    try:
        return function()
    except Exception as cause:
        reason = " ".join(str(cause).split()) or type(cause).__name__
        raise CodecFailure(f"{doing} failed: {reason}") from cause
