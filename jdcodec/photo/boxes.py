"""The boxes that AVIF and HEIC files consist of: where they lie, and whether all that they list is there.

Sources: ISO/IEC 14496-12, 4.2 for boxes, 8.11.3 for iloc and 8.11.4 for pitm; ISO/IEC 23008-12, 6.5.3 for
ispe and 9.3 for ipma.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator

from jdcodec.errors import PhotoError

# Boxes that pictures are in. What programs append behind the last of them is no box at all in some files.
_OF_PICTURES = (b"meta", b"mdat")
_PROPERTIES = (b"meta", b"iprp", b"ipco")

# Pictures of many tiles have some thousands; each takes time to look at.
_MAX_ITEMS = 1 << 16


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box that lies between two bytes."""
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if size == 1 and content + 8 <= end:
            (size,) = struct.unpack_from(">Q", data, content)
            content += 8
        stop = start + size if size else end
        if not content <= stop <= end:
            return
        yield kind, content, stop
        start = stop


def properties(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the properties of all items of a file; nothing where it has none."""
    place = _inside(data, _PROPERTIES)
    if place is not None:
        yield from boxes(data, *place)


def primary_properties(data: bytes) -> list[tuple[bytes, int, int]]:
    """As `properties`, of the primary item alone; those of all where the file does not tell them apart."""
    every = list(properties(data))
    wanted, place = _primary_item(data), _inside(data, (b"meta", b"iprp", b"ipma"))
    if wanted is None or place is None:
        return every
    with contextlib.suppress(struct.error, IndexError):
        for item, indices in _associations(data[slice(*place)]):
            if item == wanted:
                return [every[index - 1] for index in indices if index]
    return every


def _primary_item(data: bytes) -> int | None:
    """The number of the primary item (pitm)."""
    place = _inside(data, (b"meta", b"pitm"))
    if place is None or place[1] - place[0] < 6:
        return None
    wide = data[place[0]] and place[1] - place[0] >= 8
    return int.from_bytes(data[place[0] + 4 : place[0] + (8 if wide else 6)], "big")


def _associations(content: bytes) -> Iterator[tuple[int, list[int]]]:
    """Items, each with the numbers of its properties from 1 on, from an ipma box. Raises struct.error."""
    version, flags, entries = content[0], content[3], int.from_bytes(content[4:8], "big")
    item, index = struct.Struct(">I" if version else ">H"), struct.Struct(">H" if flags & 1 else ">B")
    # The highest bit says whether the property is essential.
    mask = 0x7FFF if flags & 1 else 0x7F
    at = 8
    for _ in range(min(entries, _MAX_ITEMS)):
        (number,) = item.unpack_from(content, at)
        at += item.size
        (count,) = struct.unpack_from(">B", content, at)
        at += 1
        indices = [index.unpack_from(content, at + k * index.size)[0] & mask for k in range(count)]
        at += count * index.size
        yield number, indices


def item_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Width and height, in pixels, of each picture and part of one, as the file has them (ispe)."""
    for kind, start, end in properties(data):
        if kind == b"ispe" and end - start >= 12:
            yield struct.unpack_from(">II", data, start + 4)


def require_all_items(data: bytes) -> None:
    """That all bytes of all items are in the file; raises `PhotoError` where it is cut short or damaged.

    A decoder may leave the tiles gray that it lacks. What does not show is a cut that was mended in the list
    of items, the box of the pictures and the data of the codec itself.
    """
    end = max((end for _, _, end in boxes(data, 0, len(data))), default=0)
    if data[end + 4 : end + 8] in _OF_PICTURES:
        raise PhotoError("is cut short: a box reaches beyond the end of the file")
    place = _inside(data, (b"meta", b"iloc"))
    if place is None:
        raise PhotoError("is cut short, or damaged: it does not say where its HEIC images are")
    reach = max(_ends(data[slice(*place)]), default=0)
    if reach > len(data):
        raise PhotoError(f"is cut short: its image data reaches to byte {reach} of {len(data)}")


def _inside(data: bytes, path: tuple[bytes, ...]) -> tuple[int, int] | None:
    """Start and end of the content of a box, named with those around it; None where it is not there."""
    start, end = 0, len(data)
    for wanted in path:
        found = next((place for kind, *place in boxes(data, start, end) if kind == wanted), None)
        if found is None:
            return None
        # "meta" has four bytes of version and flags before the boxes in it.
        start, end = found[0] + (4 if wanted == b"meta" else 0), found[1]
    return start, end


def _ends(content: bytes) -> Iterator[int]:
    """Where each piece of an item ends, from an iloc box; pieces outside of the file itself are left out."""
    at = 0

    def take(size: int) -> int:
        nonlocal at
        value = content[at : at + size]
        if len(value) < size:
            raise PhotoError("is damaged: the list of its HEIC images is incomplete")
        at += size
        return int.from_bytes(value, "big")

    version, _ = take(1), take(3)
    sizes = take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    index_size = index_size if version else 0
    wide = 2 if version < 2 else 4
    items = take(wide)
    if items > _MAX_ITEMS:
        raise PhotoError(f"is damaged, or no picture: it lists {items} items")
    for _ in range(items):
        take(wide)
        method = take(2) & 15 if version else 0
        # Method 0 counts from the start of a file, and file 0 is this one.
        in_file = (method, take(2)) == (0, 0)
        base = take(base_size)
        pieces = take(2)
        # Pieces that are described in no byte are all the same one.
        for _ in range(pieces if offset_size + length_size + index_size else min(pieces, 1)):
            take(index_size)
            end = base + take(offset_size) + take(length_size)
            if in_file:
                yield end
