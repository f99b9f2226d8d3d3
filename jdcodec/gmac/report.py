"""Measuring models, and showing what was found as a table or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from torch import nn

from jdcodec.errors import ModelError
from jdcodec.model.network import JointCodec
from jdcodec.reference.parts import Part

from .count import Cost, Macs, count_parts
from .subjects import Subject
from .timing import Place, time_parts

CONVENTION = (
    "MAC/px: convolutions (torch.utils.flop_counter, two FLOPs to a MAC), plus other products (GDN's 1×1, "
    "block transforms), plus one for each value that a bias, an activation, GDN's square, root or product, "
    "or a sum writes, or that a reduction or pooling reads. Borders, and what is done once a picture, are "
    "left out. GMac/MP is the same in thousands. Activations: the most bytes of float32 alive at once."
)


@dataclass(frozen=True)
class PartReport:
    """What a part costs; several of one name in a chain are one here. seconds: None where not timed."""

    name: str
    role: str
    in_decoder: bool
    macs: Macs
    activation_bytes_per_pixel: float
    parameters: int
    seconds_per_megapixel: float | None


@dataclass(frozen=True)
class Report:
    """A model's parts in the order they run, and the sums over what encoding and decoding run."""

    name: str
    title: str
    parts: tuple[PartReport, ...]

    @property
    def sums(self) -> tuple[PartReport, ...]:
        """Rows "all to encode" and "all to decode"; none for a model without a bitstream."""
        encoding = [part for part in self.parts if part.role != "decoder"]
        decoding = [part for part in self.parts if part.in_decoder]
        if not decoding:
            return ()
        return (_sum("all to encode", encoding), _sum("all to decode", decoding))

    def as_dict(self) -> dict[str, Any]:
        """For JSON: dataclass fields by their names, with `macs` spelled out."""
        return {
            "name": self.name,
            "title": self.title,
            "parameters": sum(part.parameters for part in self.parts),
            "parts": [_part_dict(part) for part in self.parts],
            "sums": [_part_dict(part) for part in self.sums],
        }


def measure(subject: Subject, place: Place | None, side: int = 256) -> Report:
    """Count a model and, where a place to run it is given, time it on a picture of side × side pixels.

    Raises ModelError where it cannot be built, or memory does not suffice.
    """
    model = subject.make()
    seconds: Sequence[float | None] = ()
    if place is not None:
        model = model.channels_last() if isinstance(model, JointCodec) else model
        model.to(place.device)
        try:
            seconds = time_parts(subject.parts(model), subject.channels, side, place)
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            raise ModelError(
                f"{subject.name}: not enough memory on {place.device}; try --side 128"
            ) from error
    parts = subject.parts(model.cpu())
    costs = count_parts(parts, subject.channels)
    megapixels = side**2 / 1e6
    rates = [second / megapixels if second is not None else None for second in seconds or [None] * len(parts)]
    return Report(subject.name, subject.title, _by_name(parts, costs, rates))


def _by_name(
    parts: Sequence[Part], costs: Sequence[Cost], rates: Sequence[float | None]
) -> tuple[PartReport, ...]:
    groups: dict[str, list[PartReport]] = {}
    for part, cost, rate in zip(parts, costs, rates):
        row = PartReport(
            part.name,
            part.role,
            part.in_decoder,
            cost.macs,
            cost.activation_bytes,
            _parameters(part.modules),
            rate,
        )
        groups.setdefault(part.name, []).append(row)
    return tuple(_sum(name, rows) for name, rows in groups.items())


def _parameters(modules: Sequence[nn.Module]) -> int:
    unique = {id(p): p.numel() for module in modules for p in module.parameters() if p.requires_grad}
    return sum(unique.values())


def _sum(name: str, rows: Sequence[PartReport]) -> PartReport:
    """One row of several: sums, but the most of the activations, as parts run one after the other."""
    macs = Macs()
    for row in rows:
        macs = macs + row.macs
    timed = [row.seconds_per_megapixel for row in rows if row.seconds_per_megapixel is not None]
    return PartReport(
        name,
        rows[0].role,
        any(row.in_decoder for row in rows),
        macs,
        max(row.activation_bytes_per_pixel for row in rows),
        sum(row.parameters for row in rows),
        sum(timed) if len(timed) == len(rows) else None,
    )


def _part_dict(part: PartReport) -> dict[str, Any]:
    values = asdict(part)
    macs = values.pop("macs")
    return {
        "name": values.pop("name"),
        "macs_per_pixel": part.macs.total,
        **{f"{kind}_per_pixel": value for kind, value in macs.items()},
        "gmac_per_megapixel": part.macs.total / 1000,
        **values,
    }


def print_tables(reports: Sequence[Report], console: Console, timed_on: str | None) -> None:
    """A table for each model, and below the last the convention and where seconds were taken."""
    for report in reports:
        console.print(_table(report))
        console.print()
    console.print(CONVENTION, style="dim", highlight=False)
    if timed_on is not None:
        console.print(f"Seconds: {timed_on}.", style="dim", highlight=False)


def _table(report: Report) -> Table:
    """Fits into 80 columns."""
    title = f"{report.name}: {report.title}"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE, padding=0)
    table.add_column("part", no_wrap=True, min_width=16)
    counts = ("\nMAC/px", "convo-\nlutions", "other\nproducts", "element-\nwise", "GMac\n/MP")
    for column in (*counts, "para-\nmeters", "act.\nMB/MP", "s/MP"):
        table.add_column(column, justify="right", vertical="bottom", no_wrap=True)
    for part in report.parts:
        table.add_row(*_cells(part))
    if report.sums:
        table.add_section()
    for part in report.sums:
        table.add_row(*_cells(part))
    return table


def _cells(part: PartReport) -> tuple[str, ...]:
    macs, seconds = part.macs, part.seconds_per_megapixel
    counts = (macs.total, macs.convolutions, macs.other_products, macs.element_wise)
    return (
        part.name,
        *(f"{count:,.0f}" for count in counts),
        f"{macs.total / 1000:.1f}",
        f"{part.parameters / 1e6:.2f} M",
        f"{part.activation_bytes_per_pixel:.0f}",
        "–" if seconds is None else f"{seconds:.3g}",
    )
