"""A part of a picture, or a reduced one, from no more tiles than it takes.

The networks look across the borders of tiles. So a region takes the symbols around it as far as the means of
its latents reach, and its latents as far as synthesis reaches; what is computed inside is then what decoding
the whole picture gives. A reduced picture leaves synthesis out (`preview`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_tile_symbols, wanted_grain
from jdcodec.codec.grain import add_grain
from jdcodec.codec.weights import Weights, find_model_by_id
from jdcodec.container import Header, Metadata, Tile, TileRect
from jdcodec.container.grain import Grain
from jdcodec.errors import DamagedError, JdcError
from jdcodec.model.config import HYPER_STRIDE, LATENT_STRIDE
from jdcodec.threads import in_order

if TYPE_CHECKING:
    from jdcodec.codec.symbols import Symbols

#: How many times smaller a picture can be asked for, in each direction.
SCALES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Region:
    """A rectangle of display pixels, its upper left corner at (x, y); raises JdcError for an empty one."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.x, self.y) < 0 or min(self.width, self.height) < 1:
            raise JdcError(f"region {self} must begin at 0 or beyond and have at least 1 pixel a side")

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    @classmethod
    def parse(cls, text: str) -> Region:
        """From "X,Y,W,H"; raises JdcError."""
        numbers = [part.strip() for part in text.split(",")]
        if len(numbers) != 4 or not all(number.isdecimal() and len(number) < 10 for number in numbers):
            raise JdcError(f"region {text!r} is not X,Y,W,H: four whole numbers of pixels")
        return cls(*map(int, numbers))


@dataclass(frozen=True)
class View:
    """What is wanted of a picture: a region (None: all of it), `scale` times smaller in each direction.

    A reduced pixel covers scale × scale display pixels, counted from the picture's upper left corner; a
    region is widened to whole ones, so the result has ⌈right / scale⌉ − ⌊left / scale⌋ columns.
    """

    region: Region | None = None
    scale: int = 1

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise JdcError(f"scale must be one of {', '.join(map(str, SCALES))}, not {self.scale}")

    @property
    def is_whole(self) -> bool:
        """Whether it is just the picture."""
        return self.region is None and self.scale == 1


@dataclass(frozen=True)
class Box:
    """A rectangle of coded pixels; `right` and `bottom` are the first beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, rect: TileRect) -> Box:
        return cls(rect.x, rect.y, rect.x + rect.width, rect.y + rect.height)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.bottom - self.top, self.right - self.left

    def grown(self, halo: int, unit: int) -> Box:
        """`halo` wider on each side, then out to multiples of `unit`."""
        return Box(
            (self.left - halo) // unit * unit,
            (self.top - halo) // unit * unit,
            -(-(self.right + halo) // unit) * unit,
            -(-(self.bottom + halo) // unit) * unit,
        )

    def within(self, other: Box) -> Box | None:
        """What both share; None where that is nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Box(left, top, right, bottom) if left < right and top < bottom else None

    def place(self, outer: Box, stride: int) -> tuple[slice, slice]:
        """Its rows and columns in a grid over `outer` with a site every `stride` pixels."""
        return (
            slice((self.top - outer.top) // stride, (self.bottom - outer.top) // stride),
            slice((self.left - outer.left) // stride, (self.right - outer.left) // stride),
        )


@dataclass(frozen=True)
class Plan:
    """Which part of the picture each step needs: `symbols` around `latents` around the `pixels` wanted.

    `symbols` is in whole hyperlatent sites, `latents` in whole latent sites, `pixels` in whole reduced
    pixels.
    """

    header: Header
    scale: int
    pixels: Box
    latents: Box
    symbols: Box

    def tiles(self) -> Iterator[TileRect]:
        """The tiles that hold the symbols, in the order of the file."""
        side = self.header.tile_size
        for row in range(self.symbols.top // side, -(-self.symbols.bottom // side)):
            for column in range(self.symbols.left // side, -(-self.symbols.right // side)):
                yield self.header.tile_rect(row * self.header.columns + column)


class TileReader(Protocol):
    """A file whose tiles are read one by one, as `container.Reader` does."""

    @property
    def header(self) -> Header: ...

    @property
    def metadata(self) -> Metadata: ...

    def read_tile(self, index: int) -> Tile: ...


def decode_view(source: TileReader, view: View, settings: DecodeSettings) -> NDArray[Any]:
    """Pixels (h, w, 3) of a part of a file's picture; raises JdcError.

    At scale 1 they equal those of the whole picture up to one level in fp32.
    """
    weights = find_model_by_id(source.header.model_id, settings.models)
    plan = plan_view(source.header, view, weights)
    grain = wanted_grain(source.metadata, settings)

    symbols = gather_symbols(plan, weights, lambda rect: source.read_tile(rect.index))
    return render(symbols, plan, weights, settings, grain)


def plan_view(header: Header, view: View, weights: Weights) -> Plan:
    """What to read and run for a view; raises JdcError where its region reaches beyond the picture."""
    from jdcodec.inference.halo import MEAN_HALO, synthesis_halo

    region = view.region or Region(0, 0, header.width, header.height)
    if region.x + region.width > header.width or region.y + region.height > header.height:
        raise JdcError(
            f"region {region} reaches beyond the picture of {header.width} × {header.height} pixels"
        )
    coded = Box(0, 0, header.coded_width, header.coded_height)
    wanted = Box(region.x, region.y, region.x + region.width, region.y + region.height)
    reach = synthesis_halo(weights.config) * LATENT_STRIDE if view.scale == 1 else 0
    latents = wanted.grown(reach, LATENT_STRIDE).within(coded)
    assert latents is not None
    symbols = latents.grown(MEAN_HALO * LATENT_STRIDE, HYPER_STRIDE).within(coded)
    assert symbols is not None
    return Plan(header, view.scale, wanted.grown(0, view.scale), latents, symbols)


def gather_symbols(
    plan: Plan,
    weights: Weights,
    read: Callable[[TileRect], Tile | None],
    lose: Callable[[TileRect, DamagedError | None], None] | None = None,
) -> Symbols:
    """The symbols of a plan, put together from its tiles.

    `read` gives a tile; None where it is lost. Of those, and of tiles whose symbols are damaged, `lose` is
    told, in order, and their symbols are zeros; without `lose` damage raises DamagedError.
    """
    from jdcodec.codec.symbols import Symbols

    symbols = Symbols.empty(weights.tables, *plan.symbols.size)

    def decode(task: tuple[TileRect, Tile | None]) -> tuple[bool, DamagedError | None]:
        """Fill in a tile; whether that could be done, and what is wrong with its symbols."""
        rect, tile = task
        common = plan.symbols.within(box := Box.of(rect))
        if tile is None:
            return False, None
        try:
            z, y = decode_tile_symbols(tile, rect, weights, plan.header.quality_code)
        except DamagedError as error:
            return False, error
        if common is not None:
            symbols.z[:, *common.place(plan.symbols, HYPER_STRIDE)] = z[:, *common.place(box, HYPER_STRIDE)]
            symbols.y[:, *common.place(plan.symbols, LATENT_STRIDE)] = y[:, *common.place(box, LATENT_STRIDE)]
        return True, None

    tasks = ((rect, read(rect)) for rect in plan.tiles())
    for rect, (filled, error) in zip(plan.tiles(), in_order(decode, tasks)):
        if filled:
            continue
        if lose is None:
            raise error or DamagedError(f"tile {rect.index} is lost")
        lose(rect, error)
    return symbols


def render(
    symbols: Symbols, plan: Plan, weights: Weights, settings: DecodeSettings, grain: Grain | None = None
) -> NDArray[Any]:
    """Symbols of a plan to the pixels that it is for, with the grain that falls on them."""
    from jdcodec.codec.preview import latents_to_preview
    from jdcodec.codec.runtime import start_inference
    from jdcodec.codec.symbols import latents_to_picture, symbols_to_latents

    header, dtype = plan.header, settings.pixel_type
    inference = start_inference(weights, header.quality, device=settings.device, precision=settings.precision)
    y_hat = symbols_to_latents(symbols, inference)
    y_hat = y_hat[:, *plan.latents.place(plan.symbols, LATENT_STRIDE)]
    if plan.scale == 1:
        picture = latents_to_picture(y_hat, inference, plan.latents.size, dtype, gray=header.gray)
    else:
        picture = latents_to_preview(y_hat, weights.network, plan.scale, dtype, gray=header.gray)
    rows, columns = plan.pixels.place(plan.latents, plan.scale)
    pixels = np.ascontiguousarray(picture[rows, columns])
    if grain is None:
        return pixels
    left, top = plan.pixels.left // plan.scale, plan.pixels.top // plan.scale
    return add_grain(pixels, grain, settings.grain, left=left, top=top, scale=plan.scale, gray=header.gray)
