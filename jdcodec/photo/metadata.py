"""Leaving metadata out: all of it, or only the place where a photo was taken."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass

from jdcodec.errors import PhotoError
from jdcodec.photo.exif import build, groups, without_entry
from jdcodec.photo.tiff import GPS_IFD, Field, Tiff
from jdcodec.photo.xmp import without_place

#: What can be left out.
KINDS = ("exif", "gps", "xmp", "icc")

# Tags of other values that tell of the place: XMP, IPTC and Photoshop's resources within EXIF, and GeoTIFF's.
_PLACE_TAGS = {700, 33723, 34377, 33550, 33922, 34264, 34735, 34736, 34737}


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

    "gps" takes the place out, coordinates and address, and leaves the rest: the GPS directory of EXIF, and
    from XMP what `xmp.without_place` names. A block from which it cannot be taken out cleanly, because it is
    damaged, goes as a whole.
    """
    exif, xmp = blocks.exif, blocks.xmp
    if "gps" in kinds:
        exif = without_gps(exif) if exif else None
        xmp = without_place(xmp) if xmp else None
    return MetadataBlocks(
        exif=None if "exif" in kinds else exif,
        xmp=None if "xmp" in kinds else xmp,
        icc=None if "icc" in kinds else blocks.icc,
    )


def without_gps(payload: bytes) -> bytes | None:
    """An EXIF block without its GPS directory and `_PLACE_TAGS`; None where the block cannot be read.

    Everything else stays at its offset, since maker notes point into the block: what goes is overwritten
    with zeros.
    """
    try:
        tiff = Tiff(payload)
        if tiff.magic != 42:
            # BigTIFF and the like are laid out in another way.
            return _rebuilt_without_gps(payload)
        cleaned = bytearray(payload)
        entries = []
        for at in _chain(tiff):
            directory = tiff.directory(at)
            for place in tiff.integers(directory, GPS_IFD):
                _erase_directory(tiff, place, cleaned)
            for tag in directory.fields.keys() & _PLACE_TAGS:
                _erase(directory.fields[tag], cleaned)
            entries += [(at, tag) for tag in directory.fields.keys() & {GPS_IFD, *_PLACE_TAGS}]
        result = bytes(cleaned)
        for at, tag in entries:
            result = without_entry(result, at, tag)
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
    cleaned[offset : offset + 2 + 12 * count] = bytes(2 + 12 * count)
    for field in fields:
        _erase(field, cleaned)


def _erase(field: Field, cleaned: bytearray) -> None:
    cleaned[field.offset : field.offset + field.size] = bytes(field.size)
