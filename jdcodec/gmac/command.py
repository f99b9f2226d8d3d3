"""What `jdc gmac` does, on what the command line gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from jdcodec.errors import ModelError, OptionError

from .report import Report, measure
from .subjects import all_subjects, subject
from .timing import Place


@dataclass(frozen=True)
class Survey:
    """Reports in the order asked for, and where they were timed, in words; None where nothing was."""

    reports: tuple[Report, ...]
    timed_on: str | None


def measure_models(
    names: Sequence[str], *, time_on: str | None, bf16: bool, side: int, notes: Console
) -> Survey:
    """Measure the models of these names, or all where none is given.

    time_on: device, or None to count only. side: of the picture timed, a multiple of 64. On `notes` goes
    what was left out of "all", and what is being measured where it is a terminal. Raises ModelError.
    """
    if side % 64:
        raise OptionError(f"--side must be a multiple of 64, as every network's strides ask for, not {side}")
    chosen = [subject(name) for name in names] if names else all_subjects()
    place = Place.choose(time_on, bf16) if time_on is not None else None
    reports = []
    for one in chosen:
        try:
            with notes.status(f"measuring {one.name}"):
                reports.append(measure(one, place, side))
        except ModelError as error:
            if names:
                raise
            notes.print(f"{one.name} left out: {error}", highlight=False)
    return Survey(tuple(reports), None if place is None else place.describe())
