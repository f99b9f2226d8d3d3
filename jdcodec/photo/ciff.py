"""The heap of a Canon CRW file: is it whole, and which camera wrote it.

A CRW file is a tree of heaps; the directory of each lies at its end. Source: the CIFF specification,
version 1.0 revision 4.
"""

from __future__ import annotations

import struct

from jdcodec.errors import PhotoError

_MAKE_MODEL, _RAW_DATA = 0x080A, 0x2005
_MAX_DEPTH = 8
_MAX_RECORDS = 10_000


def is_crw(data: bytes) -> bool:
    """Whether the bytes start like a CRW file."""
    return data[:2] in (b"II", b"MM") and data[6:14] == b"HEAPCCDR"


def camera(data: bytes) -> tuple[str, str]:
    """The make and the model of the camera, after a walk through every heap; "" where they are absent.

    Raises `PhotoError` where a record reaches beyond its heap, as it does in a file that was cut short.
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        header_size = struct.unpack_from(order + "I", data, 2)[0]
        records = _walk(order, data, header_size, len(data), depth=0)
        texts = [data[start:end] for tag, start, end in records if tag == _MAKE_MODEL]
    except struct.error:
        raise PhotoError("is cut short or damaged: a directory of the CRW file is not there") from None
    # The end of a file that was cut short can happen to look like an empty directory.
    if all(tag != _RAW_DATA for tag, _, _ in records):
        raise PhotoError("is cut short or damaged: no raw image in the CRW file")
    make, model = [*(texts[0] if texts else b"").split(b"\0"), b"", b""][:2]
    return make.decode("ascii", "replace"), model.decode("ascii", "replace")


def _walk(order: str, data: bytes, start: int, end: int, depth: int) -> list[tuple[int, int, int]]:
    """Tag, start and end of every record in the heap data[start:end] and the heaps inside it."""
    if depth > _MAX_DEPTH or end - start < 4:
        raise PhotoError("is cut short or damaged: its CRW heaps do not fit into each other")
    directory = start + struct.unpack_from(order + "I", data, end - 4)[0]
    count = struct.unpack_from(order + "H", data, directory)[0]
    if directory + 2 + 10 * count > end:
        raise PhotoError("is cut short or damaged: the directory of the CRW file is not at its end")
    records = []
    for position in range(directory + 2, directory + 2 + 10 * count, 10):
        tag, size, offset = struct.unpack_from(order + "HII", data, position)
        # Short values lie in the directory itself.
        if tag & 0xC000 == 0x4000:
            continue
        if start + offset + size > directory:
            raise PhotoError("is cut short or damaged: a record of the CRW file lies beyond its heap")
        records.append((tag, start + offset, start + offset + size))
        if tag & 0x3800 in (0x2800, 0x3000):
            records += _walk(order, data, start + offset, start + offset + size, depth + 1)
        if len(records) > _MAX_RECORDS:
            raise PhotoError(f"is damaged: more than {_MAX_RECORDS} CRW records")
    return records
