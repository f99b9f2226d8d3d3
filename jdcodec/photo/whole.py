"""Is a PNG or a JPEG whole? Their decoders let some damage pass, so this module looks for it.

First at the container, before anything is decoded; then at the pixels, of which a file with a sound container
may hold only some: both decoders fill the rest with black or gray. No pixels are decoded twice for that. Each
function raises `PhotoError` where the file is cut short, or damaged in a way that shows.

Three things do not show in a JPEG, and pass. The bytes of its last few blocks of 8 × 8 pixels may be missing,
since libjpeg reads ahead. A progressive one with an end-of-image marker may have been cut at the end of any
scan behind the first of each component: there are whole files that end there. An arithmetic one with that
marker may have been cut anywhere behind its last restart: encoders leave out zeros at the end of its data.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageFile

from jdcodec.errors import PhotoError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# FF and a byte other than 00 (a literal FF in a scan), D0–D7 (restarts in a scan) and FF (fill).
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _RESTART_INTERVAL, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0xDD, 0x01
_HUFFMAN_TABLES = 0xC4
_WITHOUT_LENGTH = {_START_OF_IMAGE, _TEMPORARY}
# Start of frame: C0 to CF but for tables (C4, CC) and a reserved one (C8). ITU-T T.81, table B.1.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL_FRAMES = {0xC0, 0xC1}
_LOSSLESS_FRAMES = {0xC3, 0xC7, 0xCB, 0xCF}
_ARITHMETIC_FRAMES = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}

# A literal FF of a scan: between scans libjpeg skips it, in one it is a code that no table has.
_FILLING = b"\xff\x00"
# libjpeg reads up to eight bytes ahead, and at least three at a time.
_READ_AHEAD = 8

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: first row, first column, row step, column step of each pass.
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
_INFLATE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class JpegScans:
    """Where the scans of a JPEG end, and whether they are coded arithmetically."""

    end: int
    arithmetic: bool


def require_whole_png(data: bytes) -> None:
    """Every chunk up to IEND, with its CRC: Pillow does not check those of the image data."""
    for kind, start, end in png_chunks(data):
        if zlib.crc32(memoryview(data)[start - 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            name = kind.decode("ascii", "replace")
            raise PhotoError(f"is damaged: the checksum of its {name} chunk does not match")
        if kind == b"IEND":
            return
    raise PhotoError("is cut short: the PNG has no end")


def require_all_rows(data: bytes, last_row: NDArray[Any]) -> None:
    """That the pixels of a PNG did not end early. last_row: as Pillow decoded it, before any conversion.

    Pillow leaves what is missing at zero. Rows come in their order, so something in the last one shows that
    all are there; only where it is empty, or rows are interlaced, are the bytes counted.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    if not interlaced and last_row.any():
        return
    pixel_bits = depth * _PNG_CHANNELS[colour]
    needed = 0
    for first_row, first_column, row_step, column_step in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        rows = -(-(height - first_row) // row_step)
        columns = -(-(width - first_column) // column_step)
        if rows > 0 and columns > 0:
            needed += rows * (1 + -(-columns * pixel_bits // 8))
    found = _inflated_size(data, needed)
    if found < needed:
        raise PhotoError(f"is cut short: {found} of {needed} bytes of pixels are there")


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each chunk that lies in the file with its checksum."""
    position = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + length
        if end + 4 > len(data):
            return
        yield kind, start, end
        position = end + 4


def _image_data(data: bytes) -> Iterator[bytes]:
    """The compressed pixels of a PNG, in pieces of at most `_INFLATE_BYTES`."""
    for kind, start, end in png_chunks(data):
        if kind == b"IDAT":
            for at in range(start, end, _INFLATE_BYTES):
                yield data[at : min(end, at + _INFLATE_BYTES)]


def _inflated_size(data: bytes, enough: int) -> int:
    """Bytes that the image data of a PNG inflates to; counting stops at `enough`."""
    inflater = zlib.decompressobj()
    found = 0
    try:
        for rest in _image_data(data):
            # Past the end of its stream an inflater copies all that it is handed, again and again.
            while rest and found < enough and not inflater.eof:
                found += len(inflater.decompress(rest, 16 * _INFLATE_BYTES))
                rest = inflater.unconsumed_tail
        return found + (len(inflater.flush()) if found < enough else 0)
    except zlib.error:
        raise PhotoError("is damaged: its image data cannot be inflated") from None


def require_whole_jpeg(data: bytes) -> JpegScans:
    """Segment after segment to the end-of-image marker, so that one inside a thumbnail does not count.

    There must be a scan of every component, one after the last Huffman tables, and in the last one all of its
    restarts. The marker itself may be missing from a sequential Huffman image, which libjpeg decodes without.
    """
    position, interval = 2, 0
    frame, last_scan, tables_wait = _Frame(), (0, 0), False
    while (found := _MARKER.search(data, position)) is not None:
        marker = data[found.end() - 1]
        position = found.end()
        if marker == _END_OF_IMAGE:
            if frame.missing or tables_wait:
                raise PhotoError("is cut short: scans of the JPEG are missing")
            _require_restarts(data, *last_scan, position)
            return JpegScans(found.start(), frame.kind in _ARITHMETIC_FRAMES)
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(data[position : position + 2], "big")
        segment = data[position + 2 : position + length]
        position += length
        try:
            if marker in _FRAMES:
                frame = _Frame(marker, segment)
            elif marker == _RESTART_INTERVAL:
                interval = segment[0] << 8 | segment[1]
            elif marker == _START_OF_SCAN:
                last_scan, tables_wait = (position, frame.take_scan(segment, interval)), False
            elif marker == _HUFFMAN_TABLES:
                tables_wait = True
        except (LookupError, ValueError, ZeroDivisionError):
            raise PhotoError("is damaged: a segment of the JPEG is too short, or does not fit") from None
    if frame.missing or frame.kind not in _SEQUENTIAL_FRAMES:
        raise PhotoError("is cut short: the JPEG has no end-of-image marker")
    _require_restarts(data, *last_scan, len(data))
    return JpegScans(len(data), arithmetic=False)


def _require_restarts(data: bytes, start: int, count: int, end: int) -> None:
    """That a scan between these bytes has `count` restart markers."""
    if count and sum(1 for _ in _RESTART.finditer(data, start, end)) < count:
        raise PhotoError("is cut short: the image data of the JPEG ends early")


class _Frame:
    """The components of a JPEG image. ITU-T T.81, annex A and B.2.

    missing: those of which there was no scan yet.
    """

    def __init__(self, kind: int = 0, segment: bytes = bytes(6)) -> None:
        """kind, segment: the marker, and the header after its length; by default of an image of nothing."""
        self.kind = kind
        self._height, self._width = struct.unpack_from(">HH", segment.ljust(5, b"\0"), 1)
        specified = [segment[at : at + 3] for at in range(6, 6 + 3 * segment[5], 3)]
        self._sampling = {part[0]: (part[1] >> 4, part[1] & 15) for part in specified}
        self.missing = set(self._sampling)

    def take_scan(self, segment: bytes, interval: int) -> int:
        """Note what a scan brings; gives the restarts in it. segment: its header; interval: MCUs, or 0."""
        count = segment[0]
        components = segment[1 : 2 * count : 2]
        if len(segment) < 2 * count + 4 or not self._sampling.keys() >= {*components}:
            raise ValueError
        self.missing -= {*components}
        return -(-self._units(components) // interval) - 1 if interval else 0

    def _units(self, components: bytes) -> int:
        """MCUs in a scan: of one component its blocks, of several what covers the same part of each."""
        across = max(factor for factor, _ in self._sampling.values())
        down = max(factor for _, factor in self._sampling.values())
        side = 1 if self.kind in _LOSSLESS_FRAMES else 8
        own_across, own_down = self._sampling[components[0]] if len(components) == 1 else (1, 1)
        columns: int = -(-self._width * own_across // (across * side))
        rows: int = -(-self._height * own_down // (down * side))
        return columns * rows


def decode_whole_jpeg(data: bytes, image: ImageFile.ImageFile, scans: JpegScans) -> None:
    """Decode the pixels of a JPEG that Pillow has opened, and make sure that the last scan did not end early.

    libjpeg fills what it lacks with gray as soon as it sees the end-of-image marker, but waits for more bytes
    without one. So the marker is held back: a whole image needs no more than what libjpeg reads ahead.
    """
    (tile,) = image.tile
    image.load_prepare()
    # What Pillow's own loading calls, which takes bytes in blocks of a fixed size only.
    decoder = Image._getdecoder(image.mode, tile.codec_name, tile.args, image.decoderconfig)
    try:
        decoder.setimage(image.im, tile.extents)
        # Arithmetic decoding cannot wait, so that there it is not known.
        used, status = decoder.decode(data) if scans.arithmetic else _feed(decoder, data[: scans.end])
    finally:
        decoder.cleanup()
    if used >= 0:
        raise PhotoError("is cut short: the image data of the JPEG ends early")
    if status < 0:
        raise PhotoError("is damaged: its image data cannot be decoded")
    image.tile = []


def _feed(decoder: Any, rest: bytes) -> tuple[int, int]:
    """Hand a decoder the bytes of a JPEG up to its end-of-image marker, and this when it has been waited for.

    Gives the decoder's last answer: how many bytes it took, -1 where it is done, and 0 or what went wrong.
    """
    used, status = decoder.decode(rest)
    skipped = 0
    for _ in range(_READ_AHEAD + 2):
        if used < 0:
            return used, status
        rest = rest[used:] + _FILLING
        used, status = decoder.decode(rest)
        skipped = skipped + 1 if used == len(rest) == len(_FILLING) else 0
    # Within a scan libjpeg never takes so few bytes twice in a row: it is behind the last one of several.
    return decoder.decode(b"\xff\xd9") if skipped >= 2 else (used, status)
