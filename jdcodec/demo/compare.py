"""Codes one photograph with several codecs at equal sizes, and measures what comes back.

Codecs come as a pair of functions, so this module needs neither the network nor a codec's package.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt

from jdcodec.bench.metrics import bits_per_pixel, psnr
from jdcodec.photo.depth import to_8_bit

Pixels = npt.NDArray[np.uint8]
AnyPixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_WEBP_LONGEST_SIDE = 16_383


@dataclass(frozen=True)
class Codec:
    """encode: (H, W, 3) uint8 or uint16 pixels and a quality to a file's bytes; decode: to uint8 pixels."""

    name: str
    encode: Callable[[AnyPixels, float], bytes]
    decode: Callable[[bytes], Pixels]


@dataclass(frozen=True)
class Coded:
    """One photograph after one codec at one quality, with wall-clock seconds.

    psnr: in dB to the clean scene, None where nobody knows that.
    is_smallest: the codec could not make a smaller file, whatever size was asked of it.
    """

    name: str
    quality: float
    data: bytes
    pixels: Pixels
    encode_seconds: float
    decode_seconds: float
    psnr: float | None
    is_smallest: bool = False

    @property
    def bpp(self) -> float:
        """Bits of the whole file for each pixel."""
        return bits_per_pixel(len(self.data), *self.pixels.shape[:2])


def code(
    codec: Codec, photo: AnyPixels, quality: float, clean: Pixels | None, *, is_smallest: bool = False
) -> Coded:
    """Code and decode a photo, (H, W, 3), and compare it with the clean scene, uint8 of the same size."""
    start = time.perf_counter()
    data = codec.encode(photo, quality)
    encoded = time.perf_counter()
    pixels = codec.decode(data)
    decoded = time.perf_counter()
    fidelity = None if clean is None else psnr(clean, pixels)
    return Coded(codec.name, quality, data, pixels, encoded - start, decoded - encoded, fidelity, is_smallest)


def pillow_codec(name: str, **options: bool | int) -> Codec:
    """One of Pillow's lossy formats, "JPEG" or "WebP", on 8-bit pixels; its qualities are whole numbers."""
    from PIL import Image

    def encode(photo: AnyPixels, quality: float) -> bytes:
        stream = BytesIO()
        Image.fromarray(to_8_bit(photo)).save(stream, name, quality=round(quality), **options)
        return stream.getvalue()

    def decode(data: bytes) -> Pixels:
        with Image.open(BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))

    return Codec(name, encode, decode)


class SizeSearch:
    """Finds the whole-number quality at which a codec's file of one photo comes closest to a size.

    Sizes are kept, because the searches for several sizes begin alike.
    """

    def __init__(self, codec: Codec, photo: AnyPixels, lowest: int, highest: int) -> None:
        self._codec, self._photo = codec, photo
        self.lowest, self.highest = lowest, highest
        self._sizes: dict[int, int] = {}

    def _size(self, quality: int) -> int:
        if quality not in self._sizes:
            self._sizes[quality] = len(self._codec.encode(self._photo, quality))
        return self._sizes[quality]

    def closest(self, size: int) -> int:
        """The quality whose file is closest to `size` bytes; sizes must grow with the quality."""
        low, high = self.lowest, self.highest
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._size(middle) < size else (low, middle)
        return min((low, high), key=lambda quality: abs(self._size(quality) - size))


def compare(
    photo: AnyPixels, clean: Pixels | None, jdc: Codec, qualities: tuple[float, ...]
) -> list[list[Coded]]:
    """For each quality: the photo through `jdc`, then through JPEG and WebP at about the size of that.

    photo: (H, W, 3), what a camera saw. clean: the same scene without noise, or None where it is not known.
    WebP is left out where a side is longer than the 16,383 pixels it can hold.
    """
    eight_bit = to_8_bit(photo)
    # The best JPEG that Pillow writes: progressive, with Huffman tables made for the picture.
    jpeg = pillow_codec("JPEG", optimize=True, progressive=True)
    searches = [(jpeg, SizeSearch(jpeg, eight_bit, 1, 95))]
    if max(photo.shape[:2]) <= _WEBP_LONGEST_SIDE:
        webp = pillow_codec("WebP")
        searches.append((webp, SizeSearch(webp, eight_bit, 0, 100)))
    rows = []
    for quality in qualities:
        ours = code(jdc, photo, quality, clean)
        row = [ours]
        for codec, search in searches:
            match = search.closest(len(ours.data))
            row.append(code(codec, eight_bit, match, clean, is_smallest=match == search.lowest))
        rows.append(row)
    return rows
