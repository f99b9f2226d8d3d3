"""Bytes → values, strictly: a file is read as a whole or refused with the reason and the place.

`parse` reads all of a buffer, `Reader` an index first and then single tiles of a file; both walk the
sections by the same code, so they agree on every file. For what is left of a damaged one see
`salvage`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

from jdcodec.container.contents import JdcFile, Metadata, Tile
from jdcodec.container.framing import (
    FileSource,
    MemorySource,
    Section,
    Source,
    read_payload,
    read_prefix,
    read_section,
    verify_payload,
)
from jdcodec.container.header import (
    HEAD_PAYLOAD,
    Header,
    check_limits,
    check_tile_length,
    section_bytes_needed,
    unpack_header,
)
from jdcodec.container.layout import (
    DEFAULT_LIMITS,
    END,
    HEAD,
    METADATA_SECTIONS,
    PREFIX,
    TILE,
    TILE_START,
    Limits,
)
from jdcodec.errors import DamagedError, FormatError, LimitError


class Reader:
    """A file whose header, metadata and structure are read and checked, and its tiles on demand.

    `file` is a seekable binary file that holds one `.jdc` from its first byte to its last; it stays
    the caller's to close, and must not be used by others meanwhile (one thread at a time). Of a
    tile only the first 16 bytes are read here; its checksum is checked by `read_tile`.

    Raises `FormatError`, `DamagedError` and `LimitError` like `parse`, and leaves errors of the
    file (`OSError`) as they are.
    """

    def __init__(self, file: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> None:
        self._source = FileSource(file)
        self._index = _read_index(self._source, limits)

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version of the file."""
        return self._index.version

    @property
    def header(self) -> Header:
        return self._index.header

    @property
    def metadata(self) -> Metadata:
        return Metadata(**self._index.metadata)

    @property
    def sections(self) -> tuple[Section, ...]:
        """All sections in the order of the file, with those of unknown type."""
        return tuple(self._index.sections)

    def read_tile(self, index: int) -> Tile:
        """Tile `index`; raises `DamagedError` where it is damaged, `IndexError` where there is none."""
        if not 0 <= index < len(self._index.tiles):
            raise IndexError(f"no tile {index} in a file of {len(self._index.tiles)}")
        return read_tile(self._source, self._index.tiles[index])


def parse(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> JdcFile:
    """The file in `data`, all of it checked; its tiles are views of `data`.

    Raises `FormatError` for what is not a `.jdc` file, has an unknown version, an unknown critical
    section or a header field outside its range; `DamagedError` for a checksum that does not hold and
    for sections that are cut, missing, repeated or out of order; `LimitError` for what is beyond
    `limits`. Nothing is allocated that is larger than `data` warrants.
    """
    source = MemorySource(data)
    index = _read_index(source, limits)
    return JdcFile(
        header=index.header,
        tiles=tuple(read_tile(source, section) for section in index.tiles),
        metadata=Metadata(**index.metadata),
        version=index.version,
    )


@dataclass
class _Index:
    """What a walk over the sections finds; `metadata` is keyed by the fields of `Metadata`."""

    version: tuple[int, int]
    header: Header
    sections: list[Section]
    tiles: list[Section] = field(default_factory=list)
    metadata: dict[str, bytes] = field(default_factory=dict)


def _read_index(source: Source, limits: Limits) -> _Index:
    """Walk over all sections and check everything except the payloads of tiles."""
    version = read_prefix(source)
    section, header = _read_head(source, version, limits)
    index = _Index(version, header, [section])
    while section.type != END:
        section = read_section(source, section.end)
        index.sections.append(section)
        if section.type == TILE:
            _check_tile(source, section, header, len(index.tiles))
            index.tiles.append(section)
        elif section.type in METADATA_SECTIONS:
            _add_metadata(source, section, index, limits)
        elif section.type == HEAD:
            raise DamagedError(f"{section} is a second header")
        elif section.type != END:
            verify_payload(source, section)
            check_unknown(section, limits)
    _check_end(source, section, index)
    return index


def read_header(source: Source, section: Section, limits: Limits) -> tuple[Header, tuple[int, int]]:
    """The header in `section` and the version repeated there; raises what `parse` raises."""
    payload = read_payload(source, section)
    try:
        header, version = unpack_header(payload)
    except FormatError as error:
        raise FormatError(f"{section}: {error}") from None
    check_limits(header, limits)
    return header, version


def read_tile(source: Source, section: Section) -> Tile:
    """The tile in `section`; raises `DamagedError` where its checksum does not hold."""
    payload = read_payload(source, section)
    index, symbols_crc = TILE_START.unpack(payload[: TILE_START.size])
    return Tile(index, symbols_crc, payload[TILE_START.size :])


def check_unknown(section: Section, limits: Limits) -> None:
    """Let an unknown ancillary section pass; raise `FormatError` for a critical one.

    Its checksum must hold already: one flipped bit turns a known type into an unknown one.
    """
    if section.critical:
        raise FormatError(
            f"{section} is of a kind unknown to this program but needed to decode the file; "
            "use a newer release of jdcodec"
        )
    check_metadata_length(section, limits)


def check_metadata_length(section: Section, limits: Limits) -> None:
    """Raise `LimitError` where an ancillary section is longer than `limits` allow."""
    if section.length > limits.max_metadata_bytes:
        raise LimitError(
            f"{section} has {section.length:,} bytes, beyond the limit of {limits.max_metadata_bytes:,}"
        )


def _read_head(source: Source, version: tuple[int, int], limits: Limits) -> tuple[Section, Header]:
    section = read_section(source, PREFIX.size)
    if section.type != HEAD or section.length != HEAD_PAYLOAD.size:
        raise DamagedError(
            f"{section} of {section.length} bytes stands where the Head section "
            f"of {HEAD_PAYLOAD.size} bytes must stand"
        )
    header, repeated_version = read_header(source, section, limits)
    if repeated_version != version:
        raise DamagedError(
            "version is damaged: {}.{} at offset 8, but {}.{} in the header".format(
                *version, *repeated_version
            )
        )
    needed, left = section_bytes_needed(header), source.size - section.end
    if left < needed:
        raise DamagedError(
            f"file is cut: its {header.tile_count} tiles take {needed} bytes or more, "
            f"but only {left} follow the header"
        )
    return section, header


def _check_tile(source: Source, section: Section, header: Header, expected: int) -> None:
    if expected >= header.tile_count:
        raise DamagedError(f"{section} is one more than the {header.tile_count} tiles of the header")
    try:
        check_tile_length(header.tile_rect(expected), section.length)
    except FormatError as error:
        raise DamagedError(f"{section}: {error}") from None
    index, _ = TILE_START.unpack(source.read(section.payload_offset, TILE_START.size))
    if index != expected:
        raise DamagedError(f"{section} holds tile {index} where tile {expected} must stand")


def _add_metadata(source: Source, section: Section, index: _Index, limits: Limits) -> None:
    name = METADATA_SECTIONS[section.type]
    if name in index.metadata:
        raise DamagedError(f"{section} is the second of its kind")
    if index.tiles:
        raise DamagedError(f"{section} stands behind the first tile")
    check_metadata_length(section, limits)
    index.metadata[name] = bytes(read_payload(source, section))


def _check_end(source: Source, section: Section, index: _Index) -> None:
    if section.length:
        raise DamagedError(f"{section} has {section.length} bytes instead of none")
    verify_payload(source, section)
    if len(index.tiles) != index.header.tile_count:
        raise DamagedError(
            f"{section} comes after {len(index.tiles)} of {index.header.tile_count} tiles: tiles are missing"
        )
    if section.end != source.size:
        raise DamagedError(f"{source.size - section.end} bytes follow the end of the file at {section.end}")
