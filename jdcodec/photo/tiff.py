"""The directories of a TIFF structure: where its tags and its image data lie, without any pixel.

TIFF is the container of most camera RAW files and of every EXIF block. LibRaw decodes a RAW file that was
cut short without a word, so this module is what compares the image data promised with the bytes there.
Reads classic TIFF, BigTIFF and the TIFF variants of ORF and RW2. Source: TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from jdcodec.errors import PhotoError

SUB_IFDS, EXIF_IFD, GPS_IFD, INTEROPERABILITY_IFD = 330, 34665, 34853, 40965
NEW_SUBFILE_TYPE, PHOTOMETRIC, MAKE, MODEL, ORIENTATION = 254, 262, 271, 272, 274
STRIP_OFFSETS, STRIP_BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS = 273, 279, 324, 325
WIDTH, HEIGHT, COMPRESSION, SAMPLES, ROWS_PER_STRIP, PLANAR = 256, 257, 259, 277, 278, 284
TILE_WIDTH, TILE_HEIGHT = 322, 323
JPEG_OFFSET, JPEG_SIZE = 513, 514
DNG_VERSION, UNIQUE_CAMERA_MODEL = 50706, 50708

# Photometric interpretations of what a sensor saw: colour filter array, linear raw.
_RAW_PHOTOMETRIC = {32803, 34892}

_SEPARATE_PLANES = 2
# JPEG of TIFF 6.0, whose data need not lie in strips.
_OLD_JPEG = 6

# Bytes of one value, by field type.
_TYPE_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_TYPE_SIZE |= {16: 8, 17: 8, 18: 8}

# The integer types among them, as struct spells them.
INTEGER_FORMAT = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}

_ORDERS: dict[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
_MAGICS = {42, 43, 0x55, 0x4F52, 0x5352}  # TIFF, BigTIFF, RW2, ORF ("RO", "RS")

# A loop of directories is caught by their offsets; this bounds a chain without a loop.
_MAX_DIRECTORIES = 500


@dataclass(frozen=True, slots=True)
class Field:
    """One tag: its type, how many values, and where in the file they start."""

    kind: int
    count: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes that the values take."""
        return _TYPE_SIZE[self.kind] * self.count


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory. `cut` holds the tags whose values would lie beyond the end of the file."""

    fields: dict[int, Field]
    cut: frozenset[int]
    next_offset: int


def is_tiff(data: bytes) -> bool:
    """Whether the bytes start like a TIFF structure."""
    order = _ORDERS.get(data[:2])
    return order is not None and len(data) >= 8 and struct.unpack_from(order + "H", data, 2)[0] in _MAGICS


class Tiff:
    """The header of a TIFF structure, and its directories on request.

    Raises `PhotoError` where the bytes do not start like one.
    """

    def __init__(self, data: bytes) -> None:
        if not is_tiff(data):
            raise PhotoError("is not a TIFF structure")
        self.data = data
        self.order = order = _ORDERS[data[:2]]
        self.magic: int = struct.unpack_from(order + "H", data, 2)[0]
        # BigTIFF: 8-byte offsets and counts.
        self._big = self.magic == 43
        self._offset_format = order + ("Q" if self._big else "I")
        self.first_offset: int = self._unpack(self._offset_format, 8 if self._big else 4)

    def _unpack(self, form: str, offset: int) -> int:
        try:
            return int(struct.unpack_from(form, self.data, offset)[0])
        except (struct.error, OverflowError):
            raise PhotoError("is cut short or damaged: a TIFF directory lies beyond its end") from None

    def directory(self, offset: int) -> Directory:
        """Read the directory at `offset`; raises `PhotoError` where it does not fit in the file."""
        entry_format = self.order + ("HHQ" if self._big else "HHI")
        inline = 8 if self._big else 4
        entry_size = 4 + 2 * inline
        count = self._unpack(self.order + ("Q" if self._big else "H"), offset)
        start = offset + (8 if self._big else 2)
        end = start + count * entry_size
        # Some cameras leave out the pointer that follows the last directory.
        if end > len(self.data):
            raise PhotoError("is cut short or damaged: a TIFF directory lies beyond its end")
        next_offset = self._unpack(self._offset_format, end) if end + inline <= len(self.data) else 0
        fields: dict[int, Field] = {}
        cut = set()
        for position in range(start, end, entry_size):
            tag, kind, values = struct.unpack_from(entry_format, self.data, position)
            if kind not in _TYPE_SIZE:
                continue
            place = position + 4 + inline
            if _TYPE_SIZE[kind] * values > inline:
                place = self._unpack(self._offset_format, place)
            field = Field(kind, values, place)
            if place + field.size > len(self.data):
                cut.add(tag)
            else:
                fields.setdefault(tag, field)
        return Directory(fields, frozenset(cut), next_offset)

    def value_bytes(self, field: Field) -> bytes:
        """The values of a field as they lie in the file, in the file's byte order."""
        return self.data[field.offset : field.offset + field.size]

    def integers(self, directory: Directory, tag: int) -> tuple[int, ...]:
        """The values of an integer tag; () where it is absent or holds something else."""
        field = directory.fields.get(tag)
        if field is None or field.kind not in INTEGER_FORMAT:
            return ()
        form = f"{self.order}{field.count}{INTEGER_FORMAT[field.kind]}"
        return struct.unpack_from(form, self.data, field.offset)

    def directories(self) -> list[Directory]:
        """The main chain of directories, each followed by its SubIFDs.

        Raises `PhotoError` where one of them lies beyond the end of the file.
        """
        found: list[Directory] = []
        seen: set[int] = set()
        to_read = [(self.first_offset, True)]
        while to_read:
            offset, in_chain = to_read.pop()
            if offset == 0 or offset in seen:
                continue
            if len(seen) == _MAX_DIRECTORIES:
                raise PhotoError(f"has more than {_MAX_DIRECTORIES} TIFF directories")
            seen.add(offset)
            directory = self.directory(offset)
            found.append(directory)
            if in_chain:
                to_read.append((directory.next_offset, True))
            subs = self.integers(directory, SUB_IFDS)[:_MAX_DIRECTORIES]
            to_read.extend((sub, False) for sub in reversed(subs))
        if not found:
            raise PhotoError("has no TIFF directory")
        return found

    def require_image_data(self, directories: list[Directory]) -> None:
        """Raise `PhotoError` where a strip or a tile of any directory lies beyond the end of the file."""
        for directory in directories:
            for offsets_tag, counts_tag in (
                (STRIP_OFFSETS, STRIP_BYTE_COUNTS),
                (TILE_OFFSETS, TILE_BYTE_COUNTS),
            ):
                if directory.cut & {offsets_tag, counts_tag}:
                    raise PhotoError("is cut short: its table of image data lies beyond its end")
                offsets = self.integers(directory, offsets_tag)
                counts = self.integers(directory, counts_tag)
                # RW2 writes 2³² - 1 for "elsewhere".
                ends = [at + size for at, size in zip(offsets, counts) if at != 0xFFFFFFFF]
                if ends and max(ends) > len(self.data):
                    raise PhotoError(
                        f"is cut short: its image data reaches to byte {max(ends)} of {len(self.data)}"
                    )

    def require_all_segments(self, directory: Directory) -> None:
        """Raise `PhotoError` where strips or tiles of an image lack: readers leave them black.

        A segment at byte 0 lacks, and one of no bytes, but for the only one, whose size readers work out.
        """
        width, height, samples = (self._integer(directory, tag, 1) for tag in (WIDTH, HEIGHT, SAMPLES))
        if TILE_OFFSETS in directory.fields:
            offsets, sizes = (self.integers(directory, tag) for tag in (TILE_OFFSETS, TILE_BYTE_COUNTS))
            columns, rows = (self._integer(directory, tag, 1) for tag in (TILE_WIDTH, TILE_HEIGHT))
        else:
            offsets, sizes = (self.integers(directory, tag) for tag in (STRIP_OFFSETS, STRIP_BYTE_COUNTS))
            columns, rows = width, self._integer(directory, ROWS_PER_STRIP, height)
        if not offsets or self._integer(directory, COMPRESSION, 1) == _OLD_JPEG:
            return
        needed = -(-width // max(columns, 1)) * -(-height // max(rows, 1))
        if self._integer(directory, PLANAR, 1) == _SEPARATE_PLANES:
            needed *= samples
        present = sum(offset > 0 for offset in offsets[:needed])
        if needed > 1:
            present = min(present, needed - sizes[:needed].count(0))
        if present < needed:
            raise PhotoError(f"is cut short: {present} of {needed} strips or tiles are there")

    def _integer(self, directory: Directory, tag: int, default: int) -> int:
        """The first value of an integer tag; the default where it has none."""
        return (self.integers(directory, tag) or (default,))[0]

    def is_raw(self, directories: list[Directory]) -> bool:
        """Whether the file holds what a sensor saw rather than a finished image."""
        first = directories[0].fields
        if self.magic not in (42, 43) or DNG_VERSION in first:
            return True
        # CR2 and IIQ mark themselves after the header.
        if self.data[8:10] == b"CR" or self.data[8:12] == b"IIII":
            return True
        if any(_RAW_PHOTOMETRIC.intersection(self.integers(d, PHOTOMETRIC)) for d in directories):
            return True
        # A camera's file whose first image is a thumbnail: the sensor data is in a SubIFD.
        thumbnail_first = self.integers(directories[0], NEW_SUBFILE_TYPE) == (1,)
        return thumbnail_first and MAKE in first and SUB_IFDS in first
