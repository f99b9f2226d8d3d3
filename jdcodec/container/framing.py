"""Bytes cut into sections, from memory or from a file: the parts that all readers share.

What a section means, and which may stand where, is left to `reader` (strict) and `salvage`
(tolerant).
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from jdcodec.container.layout import PREFIX, SECTION_OVERHEAD, SECTION_START, SIGNATURE, VERSION
from jdcodec.errors import DamagedError, FormatError

_SKIP_BYTES = 1 << 20

# What well-known careless transfers make of the first bytes of the signature.
_TEXT_DAMAGE = (
    SIGNATURE.replace(b"\r\n", b"\n"),
    SIGNATURE.replace(b"\r", b"\n"),
    SIGNATURE.replace(b"\n", b"\r"),
    SIGNATURE.replace(b"\n", b"\r\n"),
    SIGNATURE.replace(b"\x1a\n", b"\x1a\r\n"),
    bytes(byte & 0x7F for byte in SIGNATURE),
    b"?JDC",
    b"\xef\xbf\xbdJDC",  # UTF-8 of the replacement character
    b"\xc2\x8aJDC",  # Latin-1 read, UTF-8 written
    b"\xc5\xa0JDC",  # Windows-1252 read, UTF-8 written
)


class Source(Protocol):
    """Bytes at offsets: a buffer, or a file that is read only where needed."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def read(self, offset: int, length: int) -> memoryview:
        """Exactly `length` bytes from `offset`; the caller keeps both inside `size`."""


class MemorySource:
    """A buffer in memory; what is read is a view of it."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B").toreadonly()

    @property
    def size(self) -> int:
        return len(self._view)

    def read(self, offset: int, length: int) -> memoryview:
        return self._view[offset : offset + length]


class FileSource:
    """A seekable binary file; its size is taken once. Leaves errors of the file (`OSError`) as they are."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> memoryview:
        self._file.seek(offset)
        data = self._file.read(length)
        if len(data) != length:
            raise DamagedError(
                f"file became shorter while it was read: {len(data)} of {length} bytes at offset {offset}"
            )
        return memoryview(data)


@dataclass(frozen=True, slots=True)
class Section:
    """Where a section lies in the file: `offset` of its type, `length` of its payload, in bytes."""

    type: str
    offset: int
    length: int

    @property
    def payload_offset(self) -> int:
        return self.offset + SECTION_START.size

    @property
    def end(self) -> int:
        """The offset behind the section's checksum, where the next one begins."""
        return self.offset + SECTION_OVERHEAD + self.length

    @property
    def critical(self) -> bool:
        """Whether a reader that does not know this type must refuse the file."""
        return self.type[0].isupper()

    def __str__(self) -> str:
        return f"{self.type} section at offset {self.offset}"


def read_prefix(source: Source) -> tuple[int, int]:
    """The version of the file.

    Raises `FormatError` where it is not a `.jdc` file or of another major version, `DamagedError`
    where it was cut or transferred as text.
    """
    start = bytes(source.read(0, min(PREFIX.size, source.size)))
    if not start:
        raise FormatError("not a .jdc file: it is empty")
    if start.startswith(_TEXT_DAMAGE):
        raise DamagedError(
            "signature is damaged: the file was transferred as text, which changed its bytes; "
            "transfer it again as binary"
        )
    if not SIGNATURE.startswith(start[: len(SIGNATURE)]):
        raise FormatError(f"not a .jdc file: it begins with {start[: len(SIGNATURE)].hex(' ')}")
    if len(start) < PREFIX.size:
        raise DamagedError(f"file is cut: it ends after {len(start)} bytes, within signature and version")
    _, major, minor = PREFIX.unpack(start)
    if major != VERSION[0]:
        raise FormatError(
            f"format version {major}.{minor} is unknown: this program reads version {VERSION[0]}; "
            "use a newer release of jdcodec"
        )
    return major, minor


def read_section(source: Source, offset: int) -> Section:
    """The section that begins at `offset`; only its type and length are read.

    Raises `DamagedError` where none begins there, or it runs past the end of the file.
    """
    left = source.size - offset
    if left < SECTION_OVERHEAD:
        raise DamagedError(f"file is cut: {left} bytes at offset {offset}, where a section should stand")
    type_bytes, length = SECTION_START.unpack(source.read(offset, SECTION_START.size))
    # `isalpha` of bytes knows ASCII letters only.
    if not type_bytes.isalpha():
        raise DamagedError(
            f"no section begins at offset {offset}, but {type_bytes.hex(' ')}: "
            "the file is damaged there or in the section before"
        )
    section = Section(type_bytes.decode("ascii"), offset, length)
    if section.end > source.size:
        raise DamagedError(
            f"{section} runs past the end of the file: "
            f"{SECTION_OVERHEAD + length} bytes long, {left} bytes left"
        )
    return section


def read_payload(source: Source, section: Section) -> memoryview:
    """The payload of `section`; raises `DamagedError` where its checksum does not hold."""
    payload = source.read(section.payload_offset, section.length)
    _check_crc(source, section, zlib.crc32(payload, _crc_of_type(section)))
    return payload


def verify_payload(source: Source, section: Section) -> None:
    """Raise `DamagedError` where the checksum of `section` does not hold; holds 1 MiB at a time."""
    crc = _crc_of_type(section)
    stop = section.payload_offset + section.length
    for start in range(section.payload_offset, stop, _SKIP_BYTES):
        crc = zlib.crc32(source.read(start, min(_SKIP_BYTES, stop - start)), crc)
    _check_crc(source, section, crc)


def _crc_of_type(section: Section) -> int:
    return zlib.crc32(section.type.encode("ascii"))


def _check_crc(source: Source, section: Section, crc: int) -> None:
    stored = int.from_bytes(source.read(section.end - 4, 4), "little")
    if stored != crc:
        raise DamagedError(f"{section} is damaged: its checksum is {stored:08x}, its bytes have {crc:08x}")
