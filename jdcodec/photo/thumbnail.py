"""Cutting the thumbnail out of an EXIF block: it shows the photo as it was before it was turned or edited.

The directories behind the first one, and what they point to, go; every other byte stays at its offset, since
maker notes point into the block. Source: CIPA DC-008 (EXIF 2.32), 4.5.8 and 4.6.9.
"""

from __future__ import annotations

import contextlib
import struct

from jdcodec.errors import PhotoError
from jdcodec.photo.tiff import (
    EXIF_IFD,
    GPS_IFD,
    INTEROPERABILITY_IFD,
    JPEG_OFFSET,
    JPEG_SIZE,
    STRIP_BYTE_COUNTS,
    STRIP_OFFSETS,
    SUB_IFDS,
    Directory,
    Tiff,
)

_BIG_TIFF = 43
_HEADER_BYTES = 8
# Photographs have five at most. As directories may overlap, each can take as long as the block is large.
_MAX_DIRECTORIES = 32

# Start and end in the block.
_Span = tuple[int, int]


def without_thumbnail(payload: bytes) -> bytes:
    """The block without the directories that follow the first one, and without their values and images.

    Their bytes become zeros, but for those that the first directory and those below it use as well. Zeros at
    the end of the block that nothing uses go. A block that has none of them, or whose pointer to them cannot
    be told from something else, stays as it is. Raises `PhotoError`
    where the first directory cannot be read, and for more than 32 directories.
    """
    tiff = Tiff(payload)
    first = tiff.directory(tiff.first_offset)
    if tiff.magic == _BIG_TIFF or first.next_offset == 0:
        return payload
    pointer = _end_of_entries(tiff, tiff.first_offset)
    used = _used_spans(tiff, first)
    gone = _thumbnail_spans(tiff, first.next_offset)
    if not gone or any(start < pointer + 4 and pointer < end for start, end in used):
        # Some cameras leave the pointer out: what is there is something else, or points nowhere.
        return payload
    kept = _union(payload, [*used, (pointer, pointer + 4)])
    cleaned = bytearray(payload)
    for start, end in _union(payload, gone):
        cleaned[start:end] = bytes(end - start)
    for start, end in kept:
        cleaned[start:end] = payload[start:end]
    cleaned[pointer : pointer + 4] = bytes(4)
    return bytes(cleaned[: max(kept[-1][1], len(cleaned.rstrip(b"\0")))])


def _used_spans(tiff: Tiff, first: Directory) -> list[_Span]:
    """What the header, the first directory but for its pointer, and those that it points to take."""
    spans = [(0, _HEADER_BYTES)]
    seen = {tiff.first_offset}
    to_read = [(tiff.first_offset, first)]
    while to_read:
        offset, directory = to_read.pop()
        own, *others = _spans(tiff, offset, directory)
        spans += [own if directory is not first else (own[0], own[1] - 4), *others]
        for tag in (EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD, SUB_IFDS):
            for place in tiff.integers(directory, tag):
                if place in seen:
                    continue
                if len(seen) == _MAX_DIRECTORIES:
                    raise PhotoError(f"has more than {_MAX_DIRECTORIES} EXIF directories")
                seen.add(place)
                # A pointer to nowhere keeps nothing.
                with contextlib.suppress(PhotoError):
                    to_read.append((place, tiff.directory(place)))
    return spans


def _thumbnail_spans(tiff: Tiff, offset: int) -> list[_Span]:
    """What the directory at `offset` and those behind it take, as far as they can be read."""
    spans: list[_Span] = []
    seen: set[int] = set()
    with contextlib.suppress(PhotoError):
        while offset and offset not in seen and len(seen) < _MAX_DIRECTORIES:
            seen.add(offset)
            directory = tiff.directory(offset)
            spans += _spans(tiff, offset, directory)
            offset = directory.next_offset
    return spans


def _spans(tiff: Tiff, offset: int, directory: Directory) -> list[_Span]:
    """What a directory takes: its entries and the pointer behind them, its values, and its image."""
    spans = [(offset, _end_of_entries(tiff, offset) + 4)]
    spans += [(field.offset, field.offset + field.size) for field in directory.fields.values()]
    for offsets_tag, sizes_tag in ((JPEG_OFFSET, JPEG_SIZE), (STRIP_OFFSETS, STRIP_BYTE_COUNTS)):
        offsets, sizes = tiff.integers(directory, offsets_tag), tiff.integers(directory, sizes_tag)
        spans += [(at, at + size) for at, size in zip(offsets, sizes)]
    return spans


def _end_of_entries(tiff: Tiff, offset: int) -> int:
    (count,) = struct.unpack_from(tiff.order + "H", tiff.data, offset)
    return int(offset + 2 + 12 * count)


def _union(payload: bytes, spans: list[_Span]) -> list[_Span]:
    """The same bytes, as far as the block has them, in spans that rise and do not touch."""
    united: list[_Span] = []
    for start, end in sorted(spans):
        end = min(end, len(payload))
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(end, united[-1][1]))
        elif start < end:
            united.append((start, end))
    return united
