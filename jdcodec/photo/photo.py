"""What a photograph is between its file and the codec, and how it is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jdcodec.errors import LimitError, PhotoError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    # uint8 or uint16, full range, (H, W, C) unless said otherwise.
    Pixels = NDArray[Any]

WhiteBalance = Literal["camera", "auto", "daylight"]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a photograph.

    `white_balance`, `exposure` (stops, -10 to 10) and `auto_brighten` say how a RAW file is developed and
    do nothing to other images. `max_side` and `max_pixels` are checked before pixels are decoded.
    Raises `PhotoError` where a value is out of its range.
    """

    white_balance: WhiteBalance = "camera"
    exposure: float = 0.0
    auto_brighten: bool = False
    max_side: int = 65_535
    max_pixels: int = 400_000_000

    def __post_init__(self) -> None:
        if self.white_balance not in ("camera", "auto", "daylight"):
            raise PhotoError(f"white balance {self.white_balance!r}: choose camera, auto or daylight")
        if not (math.isfinite(self.exposure) and abs(self.exposure) <= 10):
            raise PhotoError(f"exposure {self.exposure} stops: must lie between -10 and 10")
        if self.max_side < 1 or self.max_pixels < 1:
            raise PhotoError("size limits must be at least 1 pixel")

    @property
    def develops(self) -> bool:
        """Whether anything is asked for that concerns RAW files alone."""
        return self.white_balance != "camera" or self.exposure != 0 or self.auto_brighten

    def check_size(self, width: int, height: int) -> None:
        """Raise `LimitError` for a photo larger than the limits, `PhotoError` for one without pixels."""
        if width < 1 or height < 1:
            raise PhotoError(f"has no pixels ({width} × {height})")
        if max(width, height) > self.max_side:
            raise LimitError(f"is {width} × {height}; the limit is {self.max_side} pixels a side")
        if width * height > self.max_pixels:
            raise LimitError(
                f"is {width} × {height}, {width * height:,} pixels; the limit is {self.max_pixels:,}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A photograph as the codec takes it: upright, opaque, RGB.

    pixels: (H, W, 3) uint8 or uint16, full range, nonlinear sRGB. 16-bit sources and RAW give uint16.
    is_gray: the source was gray; the three channels are equal.
    exif: a TIFF structure without the `Exif\\0\\0` prefix. Its orientation is 1: it has been applied.
    xmp: an XMP packet, its orientation 1 as well.
    icc: the profile of `pixels` where they are not sRGB. `read_photo` converts to sRGB and leaves None.
    format: of the source: "NEF", "PNG", …; "array" for one that came from memory.
    notes: what was changed on the way and the user may want to know, one sentence each.
    """

    pixels: Pixels
    bit_depth: Literal[8, 16]
    is_gray: bool
    format: str
    exif: bytes | None = None
    xmp: bytes | None = None
    icc: bytes | None = None
    iso: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Pixels in a row."""
        return int(self.pixels.shape[1])
