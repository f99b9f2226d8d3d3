"""Files of a wanted size: which quality gives it, in as few runs of the large networks as possible.

A quality acts mostly through the gain on the latents and through the tables. The latents themselves hardly
depend on it: taken at one end of the scale they give the size at the other within 2 %, and within 0.2 %
nearby. So one run of the analysis network is enough to try any number of qualities, each at the cost of
coding alone (a third of a run), and a second one, at the quality that was found, nearly always hits.
Estimating the size from the tables (`entropy.estimate_bits`) takes as long as coding, so sizes are real.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jdcodec.errors import JdcError, LimitError

#: How far a file may miss its target, as a share of it.
TOLERANCE = 0.02

# The search is content with half of that, or with a file that leaves 1.5 % of what it may take.
_NEAR = 0.01
_SPARE = 0.015

# log(size) rises by about this much a step of 1/32 of quality.
_USUAL_SLOPE = 0.0135

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?([kmg]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}


@dataclass(frozen=True)
class SizeGoal:
    """`amount` bytes, or bits per pixel where `per_pixel`; a bound where `never_above`, else a target."""

    amount: float
    never_above: bool = False
    per_pixel: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount > 0):
            raise JdcError(f"a size must be above 0, not {self.amount:g}")

    def in_bytes(self, pixels: int) -> SizeGoal:
        """The same goal in bytes, for a photo of so many pixels."""
        return SizeGoal(self.amount * pixels / 8, self.never_above) if self.per_pixel else self

    def reached(self, size: int) -> bool:
        """Whether a file of `size` bytes is near enough to look no further."""
        if self.never_above:
            return (1 - _SPARE) * self.amount <= size <= self.amount
        return abs(size - self.amount) <= _NEAR * self.amount

    @property
    def aim(self) -> float:
        """The bytes to aim at: for a bound, the middle of what is near enough."""
        return (1 - _SPARE / 2) * self.amount if self.never_above else self.amount


def parse_size(text: str) -> float:
    """Bytes of "300kB", "1.5 MB", "2MiB" or "4096": k, M, G are powers of 1000, with an i of 1024.

    Raises JdcError for anything else.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found[3] and not found[2]):
        raise JdcError(f"{text!r} is no size: write it as 300kB, 1.5MB, 2MiB or a number of bytes")
    factor: int = (1024 if found[3] else 1000) ** _POWERS[found[2].lower()]
    return float(found[1]) * factor


def size_goal(
    quality: float | None,
    target_size: float | str | None,
    target_bpp: float | None,
    max_size: float | str | None,
    *,
    word: Callable[[str], str] = str,
) -> SizeGoal | None:
    """What these options want, None where they want no size. Sizes are bytes, or text for `parse_size`.

    word: what the caller calls an option of this name. Raises JdcError for what is no size, for more than one
    of them, and for a quality beside a target.
    """
    if sum(wanted is not None for wanted in (target_size, target_bpp, max_size)) > 1:
        raise JdcError(f"choose one of {word('target_size')}, {word('target_bpp')} and {word('max_size')}")
    if quality is not None and (target_size is not None or target_bpp is not None):
        raise JdcError(f"a target size finds its quality by itself; leave out {word('quality')}")
    if target_bpp is not None:
        return SizeGoal(target_bpp, per_pixel=True)
    size = target_size if max_size is None else max_size
    if size is None:
        return None
    amount = parse_size(size) if isinstance(size, str) else size
    return SizeGoal(amount, never_above=max_size is not None)


class Coder(Protocol):
    """What a search needs of an encoder. A step is 1/32 of quality, 0 the lowest."""

    def analyse(self, step: int) -> None:
        """Run the large networks at a step."""

    def code(self, step: int) -> bytes:
        """The whole file at a step, from the latents of the last `analyse`."""


def code_to_size(coder: Coder, goal: SizeGoal, *, start: int, highest: int) -> bytes:
    """The file at a step of 0…highest that comes nearest to the goal (in bytes) and keeps to its bound.

    Begins at step `start`. What is returned was coded from latents of its own step. Raises LimitError where
    even the lowest step takes too many bytes, or the highest too few for a target.
    """
    files: dict[int, bytes] = {}
    step = start
    # Ends: a step above a bound is followed by a lower one, and every other one comes once at most.
    while step not in files:
        coder.analyse(step)
        files[step] = coder.code(step)
        size = len(files[step])
        if goal.reached(size) or (goal.never_above and size <= goal.amount and step == highest):
            return files[step]
        step = _search(coder, goal, step, size, highest)
    return _nearest(files, goal, highest)


def _search(coder: Coder, goal: SizeGoal, step: int, size: int, highest: int) -> int:
    """The step that fits by the latents at hand: secants on log(size) in a bracket that only shrinks.

    `step` is where these latents are from, and `size` what it takes.
    """
    low, high = -1, highest + 1
    sizes, slope = {step: size}, _USUAL_SLOPE
    while True:
        low, high = (step, high) if size <= goal.amount else (low, step)
        if high - low == 1:
            break
        previous = step
        step = min(max(step + round(math.log(goal.aim / size) / slope), low + 1), high - 1)
        size = sizes[step] = len(coder.code(step))
        if goal.reached(size):
            return step
        rise = math.log(size / sizes[previous]) / (step - previous)
        slope = max(rise, _USUAL_SLOPE / 10)
    if low < 0 or (high <= highest and not goal.never_above and sizes[low] * sizes[high] < goal.amount**2):
        return high
    return low


def _nearest(files: dict[int, bytes], goal: SizeGoal, highest: int) -> bytes:
    """The file by step that is nearest to the goal; an error where the end of the scale keeps it away."""
    fitting = [step for step, file in files.items() if len(file) <= goal.amount or not goal.never_above]
    step = min(fitting or files, key=lambda step: abs(math.log(len(files[step]) / goal.amount)))
    size = len(files[step])
    miss = size / goal.amount - 1
    if step == 0 and miss > (0 if goal.never_above else TOLERANCE):
        raise LimitError(f"cannot be as small as {goal.amount:,.0f} bytes; quality 1 gives {size:,}")
    if step == highest and miss < -TOLERANCE and not goal.never_above:
        raise LimitError(f"cannot be as large as {goal.amount:,.0f} bytes; quality 8 gives {size:,}")
    return files[step]
