"""PBM, PGM and PPM (P1 to P6) at their full depth; Pillow reduces 16-bit PPM to 8 bits.

Source: the Netpbm manual pages pbm(5), pgm(5) and ppm(5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from jdcodec.errors import PhotoError

if TYPE_CHECKING:
    from jdcodec.photo.photo import Pixels, ReadOptions

# White space or comments, at least one, then a number.
_NUMBER = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,10})(?=[\s#])")
_COMMENT = re.compile(rb"#[^\n\r]*")


def is_pnm(data: bytes) -> bool:
    """Whether the bytes start like P1 to P6."""
    return data[:1] == b"P" and data[1:2] in b"123456" and data[2:3] in b" \t\r\n#" and len(data) > 2


def read_pnm(data: bytes, options: ReadOptions) -> Pixels:
    """Decode to (H, W, 1) or (H, W, 3), scaled to the full range of uint8, or of uint16 above maxval 255.

    What follows the first image is ignored. Raises `PhotoError` where the data is damaged or cut short,
    `LimitError` where the image is larger than the options allow.
    """
    kind = data[1] - ord("0")
    width, position = _number(data, 2)
    height, position = _number(data, position)
    maximum = 1
    if kind not in (1, 4):
        maximum, position = _number(data, position)
    options.check_size(width, height)
    if not 1 <= maximum <= 65_535:
        raise PhotoError(f"has a maximum value of {maximum}; it must lie between 1 and 65535")
    shape = (height, width, 3 if kind in (3, 6) else 1)
    if kind <= 3:
        samples = _plain(data[position:], shape[0] * shape[1] * shape[2], bits=kind == 1)
    else:
        # Exactly one white-space character ends the header.
        samples = _binary(data, position + 1, shape, bits=kind == 4, wide=maximum > 255)
    if samples.size and int(samples.max()) > maximum:
        raise PhotoError(f"is damaged: a sample exceeds its maximum value {maximum}")
    if kind in (1, 4):
        samples = 1 - samples
    top = 255 if maximum <= 255 else 65_535
    if maximum != top:
        samples = (samples.astype(np.uint32) * top + maximum // 2) // maximum
    return samples.astype(np.uint8 if top == 255 else np.uint16, copy=False).reshape(shape)


def write_pnm(pixels: Pixels) -> bytes:
    """Encode (H, W) as P5 or (H, W, 3) as P6, with a maximum value of 255 or 65535."""
    kind = b"P5" if pixels.ndim == 2 else b"P6"
    top = int(np.iinfo(pixels.dtype).max)
    header = b"%s\n%d %d\n%d\n" % (kind, pixels.shape[1], pixels.shape[0], top)
    samples = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder(">"))
    # One copy only: large pictures leave little room for more.
    return b"".join((header, samples.data))


def _number(data: bytes, position: int) -> tuple[int, int]:
    """The next number of the header, and where it ends."""
    match = _NUMBER.match(data, position)
    if match is None:
        raise PhotoError("is damaged: its header lacks a number")
    return int(match[1]), match.end()


def _binary(data: bytes, start: int, shape: tuple[int, int, int], *, bits: bool, wide: bool) -> Pixels:
    """The samples of P4 (bits, rows padded to bytes), P5 or P6 (two bytes big-endian where wide)."""
    height, width, channels = shape
    row = (width + 7) // 8 if bits else width * channels * (2 if wide else 1)
    if len(data) - start < row * height:
        raise PhotoError(
            f"is cut short: {max(0, len(data) - start)} of {row * height} bytes of pixels are there"
        )
    if wide:
        return np.frombuffer(data, ">u2", row * height // 2, start).astype(np.uint16)
    samples = np.frombuffer(data, np.uint8, row * height, start)
    if bits:
        samples = np.unpackbits(samples.reshape(height, row), axis=1)[:, :width]
    return samples.reshape(-1)


def _plain(text: bytes, count: int, *, bits: bool) -> Pixels:
    """The samples of P1 (single digits, white space or not), P2 or P3."""
    text = _COMMENT.sub(b" ", text)
    words = list(re.sub(rb"\s", b"", text).decode("latin-1")) if bits else text.split(None, count)[:count]
    words = words[:count]
    if len(words) < count:
        raise PhotoError(f"is cut short: {len(words)} of {count} samples are there")
    try:
        return np.array([int(word) for word in words]).astype(np.uint32)
    except (ValueError, OverflowError):
        raise PhotoError("is damaged: a sample is not a number") from None
