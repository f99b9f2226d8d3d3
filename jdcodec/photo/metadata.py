"""Leaving metadata out: all of it, or only the place where a photo was taken."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from dataclasses import dataclass

from jdcodec.errors import PhotoError
from jdcodec.photo.exif import build, groups, without_entry
from jdcodec.photo.tiff import GPS_IFD, Tiff

#: What can be left out.
KINDS = ("exif", "gps", "xmp", "icc")

# XMP's coordinates: exif:GPSLatitude and the like, as attributes and as elements, under any prefix.
# Bounded, so that hostile packets take linear time; what a bound leaves behind is found by the next pattern.
_XMP_GPS = re.compile(
    rb"""\s[\w-]+:GPS\w+\s*=\s*(?:"[^"]*"|'[^']*')"""
    rb"""|<(?P<name>[\w-]+:GPS\w+)\b[^<>]*(?:/>|>.{0,4096}?</(?P=name)\s*>)""",
    re.DOTALL,
)
_ANY_GPS = re.compile(rb"G\0?P\0?S\0?[A-Z]")


@dataclass(frozen=True, slots=True)
class MetadataBlocks:
    """The metadata of a photo as bytes; exif: a TIFF structure without the `Exif\\0\\0` prefix."""

    exif: bytes | None
    xmp: bytes | None
    icc: bytes | None


def parse_kinds(text: str) -> frozenset[str]:
    """The kinds in a list like "exif,gps", or all of them for "all"; raises PhotoError for an unknown one."""
    kinds = {kind.strip().lower() for kind in text.split(",")}
    unknown = kinds - {*KINDS, "all"}
    if unknown:
        raise PhotoError(f"{min(unknown)!r} cannot be stripped: choose from {', '.join(KINDS)} or all")
    return frozenset(KINDS) if "all" in kinds else frozenset(kinds)


def strip(blocks: MetadataBlocks, kinds: Collection[str]) -> MetadataBlocks:
    """The blocks less what `kinds`, some of `KINDS`, names.

    "gps" takes the GPS directory out of EXIF and the coordinates out of XMP, and leaves the rest. A block
    from which they cannot be taken out cleanly, because it is damaged, goes as a whole.
    """
    exif, xmp = blocks.exif, blocks.xmp
    if "gps" in kinds:
        exif = without_gps(exif) if exif else None
        xmp = _xmp_without_gps(xmp) if xmp else None
    return MetadataBlocks(
        exif=None if "exif" in kinds else exif,
        xmp=None if "xmp" in kinds else xmp,
        icc=None if "icc" in kinds else blocks.icc,
    )


def without_gps(payload: bytes) -> bytes | None:
    """An EXIF block without its GPS directory; None where the block cannot be read.

    Everything else stays at its offset, since maker notes point into the block: the directory and its
    values are overwritten with zeros.
    """
    try:
        tiff = Tiff(payload)
        if tiff.magic != 42:
            # BigTIFF and the like are laid out in another way.
            return _rebuilt_without_gps(payload)
        holders = [at for at in _chain(tiff) if GPS_IFD in tiff.directory(at).fields]
        cleaned = bytearray(payload)
        for at in holders:
            for place in tiff.integers(tiff.directory(at), GPS_IFD):
                _erase_directory(tiff, place, cleaned)
        result = bytes(cleaned)
        for at in holders:
            result = without_entry(result, at, GPS_IFD)
        # Where directories of a hostile block overlap, what was erased was needed.
        return _rebuilt_without_gps(result) if groups(result)[3] else result
    except PhotoError:
        return _rebuilt_without_gps(payload)


def _rebuilt_without_gps(payload: bytes) -> bytes | None:
    """A small clean block of what a photographer looks up, but the place; None where nothing can be read."""
    try:
        order, image, photo, _ = groups(payload)
    except PhotoError:
        return None
    return build(order, image, photo, {})


def _chain(tiff: Tiff) -> list[int]:
    """Offsets of the first directory and of the one after it, that of the thumbnail."""
    second = tiff.directory(tiff.first_offset).next_offset
    return [tiff.first_offset, second] if second not in (0, tiff.first_offset) else [tiff.first_offset]


def _erase_directory(tiff: Tiff, offset: int, cleaned: bytearray) -> None:
    """Overwrite a directory and its values with zeros."""
    fields = tiff.directory(offset).fields.values()
    (count,) = struct.unpack_from(tiff.order + "H", tiff.data, offset)
    for start, size in [(offset, 2 + 12 * count), *((field.offset, field.size) for field in fields)]:
        cleaned[start : start + size] = bytes(size)


def _xmp_without_gps(packet: bytes) -> bytes | None:
    """The packet without coordinates; None where some might be left in it, as in UTF-16."""
    cleaned = _XMP_GPS.sub(b"", packet)
    return None if _ANY_GPS.search(cleaned) else cleaned
