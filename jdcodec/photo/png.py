"""A writer of 16-bit PNG. None of the libraries at hand has one for colour: Pillow and imageio write 8 bits.

Source: the PNG specification, third edition.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GRAY, _RGB = 0, 2
_PAETH = 4

# Rows are filtered and compressed in bands of about this many bytes, one IDAT chunk each.
_BAND_BYTES = 1 << 22
# Measured on developed RAW: 1 % larger than level 6 in 70 % of its time.
_COMPRESSION_LEVEL = 4


def encode_deep_png(
    pixels: NDArray[np.uint16], *, exif: bytes | None, xmp: bytes | None, icc: bytes | None
) -> bytes:
    """(H, W) or (H, W, 3) uint16 to the bytes of a 16-bit PNG, losslessly."""
    height, width = pixels.shape[:2]
    kind = _GRAY if pixels.ndim == 2 else _RGB
    chunks = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    if icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if exif:
        chunks.append(_chunk(b"eXIf", exif))
    if xmp:
        # Keyword, then four empty fields: not compressed, no method, no language, no translation.
        chunks.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp))
    compressor = zlib.compressobj(_COMPRESSION_LEVEL, strategy=zlib.Z_FILTERED)
    for band in _filtered_bands(pixels):
        chunks.append(_chunk(b"IDAT", compressor.compress(band)))
    chunks.append(_chunk(b"IDAT", compressor.flush()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered_bands(pixels: NDArray[np.uint16]) -> Iterator[bytes]:
    """Rows behind the Paeth filter, the best single one for photographs, each after its filter byte."""
    height = pixels.shape[0]
    pixel_bytes = 2 if pixels.ndim == 2 else 6
    rows = pixels.astype(">u2").reshape(height, -1).view(np.uint8)
    band_height = max(1, _BAND_BYTES // rows.shape[1])
    for start in range(0, height, band_height):
        band = rows[start : start + band_height].astype(np.int16)
        # Neighbours outside of the image count as 0.
        above_first = rows[start - 1].astype(np.int16) if start else np.zeros_like(band[0])
        above = np.vstack([above_first, band[:-1]])
        left, above_left = (np.pad(a, ((0, 0), (pixel_bytes, 0)))[:, :-pixel_bytes] for a in (band, above))
        filtered = (band - _paeth(left, above, above_left)).astype(np.uint8)
        yield np.pad(filtered, ((0, 0), (1, 0)), constant_values=_PAETH).tobytes()


def _paeth(a: NDArray[np.int16], b: NDArray[np.int16], c: NDArray[np.int16]) -> NDArray[np.int16]:
    """Of left (a), above (b) and above left (c) the one nearest to a + b - c, ties in this order."""
    to_a, to_b, to_c = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    return np.where((to_a <= to_b) & (to_a <= to_c), a, np.where(to_b <= to_c, b, c))
