"""The table on the terminal: while a benchmark runs, and the verdict at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Column, Table

from .curves import Delta
from .results import Point
from .runner import Absent, Entrant
from .summary import GroupSummary


def watch(
    points: Iterable[Point], entrants: Sequence[Entrant], pictures: int, console: Console
) -> Iterator[Point]:
    """Pass the points on; on a terminal show a table of what is done, which grows as they come."""
    seen: dict[str, list[Point]] = {entrant.codec.name: [] for entrant in entrants}
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for point in points:
            seen[point.codec].append(point)
            if console.is_terminal:
                live.update(_progress(seen, entrants, pictures), refresh=True)
            yield point


def _progress(seen: dict[str, list[Point]], entrants: Sequence[Entrant], pictures: int) -> Table:
    table = Table(_name_column(), "done", "failed", "mean bpp", "mean PSNR", "encode s", box=None)
    for entrant in entrants:
        points = seen[entrant.codec.name]
        good = [p for p in points if not p.error]
        table.add_row(
            escape(entrant.codec.name),
            f"{len(points)} of {pictures * len(entrant.qualities)}",
            str(len(points) - len(good)) if len(points) > len(good) else "",
            *(
                f"{fmean(getattr(p, field) for p in good):.{digits}f}" if good else ""
                for field, digits in (("bpp", 3), ("psnr", 2), ("encode_seconds", 3))
            ),
        )
    return table


def _name_column() -> Column:
    """Names of checkpoints are long and differ at their end, so that they are broken and not cut."""
    return Column("codec", overflow="fold", min_width=16)


def show_absent(absent: Sequence[Absent], console: Console) -> None:
    """One line for each codec that could not take part."""
    for codec in absent:
        console.print(f"left out: {codec.reason}", markup=False, highlight=False, soft_wrap=True)


def show_verdict(groups: Sequence[GroupSummary], points: Sequence[Point], console: Console) -> None:
    """The first codec against each other one, group by group, then failures."""
    for group in groups:
        if "psnr" in group.bd_rate:
            console.print(_verdict(group))
        for image, why in group.left_out.items():
            console.print(f"{group.name}: {image} is not averaged: {why}", markup=False, soft_wrap=True)
        for codec, why in group.dropped.items():
            console.print(f"{group.name}: {codec} has no curve: {why}", markup=False, soft_wrap=True)
    failed = sum(point.error is not None for point in points)
    if failed:
        console.print(f"{failed} of {len(points)} points failed; results.json says why")


def _verdict(group: GroupSummary) -> Table:
    first, *others = group.bd_rate["psnr"]
    peaks = group.peaks["psnr"]
    ours = escape(first)
    table = Table(
        _name_column(),
        f"bits {ours} needs",
        f"PSNR of {ours}",
        "overlap",
        "peak",
        "at bpp",
        f"{ours} there at",
        title=f"{group.name}: mean of {len(group.pictures)} pictures",
        title_justify="left",
        box=None,
    )
    table.add_row(ours, "", "", "", f"{peaks[first].quality:.2f} dB", f"{peaks[first].bpp:.3f}", "")
    for other in others:
        rate, gain, peak = (
            group.bd_rate["psnr"][other][first],
            group.bd_quality["psnr"][other][first],
            peaks[other],
        )
        reached = peak.bpp_of_others[first]
        table.add_row(
            escape(other),
            shown(rate, "%", 1),
            shown(gain, "dB", 2),
            f"{100 * rate.overlap:.0f} %",
            f"{peak.quality:.2f} dB",
            f"{peak.bpp:.3f}",
            "never" if reached is None else f"{reached:.3f}",
        )
    return table


def shown(delta: Delta, unit: str, digits: int) -> str:
    """A difference for people: "−31.2 %", or why there is none."""
    if delta.value is None:
        return delta.why
    return f"{delta.value:+.{digits}f} {unit}".replace("-", "−")
