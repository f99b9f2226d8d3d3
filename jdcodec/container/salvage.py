"""Bytes → what can still be trusted: a walk that goes on behind damage.

Used to verify a file (all its problems at once, without a network) and to save the undamaged tiles
of a damaged one. A tile counts as intact only where its own checksum holds, so no damage can turn
into wrong pixels here. The header is needed: a file whose header is damaged is lost.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jdcodec.container.contents import Metadata, Tile
from jdcodec.container.framing import (
    MemorySource,
    Section,
    Source,
    read_prefix,
    read_section,
    verify_payload,
)
from jdcodec.container.header import HEAD_PAYLOAD, Header, check_tile_length
from jdcodec.container.layout import (
    DEFAULT_LIMITS,
    END,
    END_SECTION,
    HEAD,
    METADATA_SECTIONS,
    PREFIX,
    SECTION_START,
    TILE,
    TILE_START,
    Limits,
)
from jdcodec.container.reader import check_metadata_length, check_unknown, read_header, read_tile
from jdcodec.errors import DamagedError, FormatError, LimitError

# Where reading can start again: any tile, or the end section, which is the same 12 bytes in every file.
_LANDMARK = re.compile(re.escape(TILE.encode()) + b"|" + re.escape(END_SECTION), re.DOTALL)

# The search computes the checksum of what only looks like a tile. Bytes made to look so could ask for
# time that is quadratic in their number; after this many times the size of the file it gives up.
_SEARCH_EFFORT = 32


class TileState(enum.Enum):
    """What became of a tile."""

    INTACT = "intact"
    DAMAGED = "damaged"
    TRUNCATED = "truncated"
    MISSING = "missing"


@dataclass(frozen=True)
class TileReport:
    """State of one tile: `tile` where it is intact, otherwise one line on its `problem`."""

    index: int
    state: TileState
    tile: Tile | None = None
    problem: str | None = None


@dataclass(frozen=True)
class ScanReport:
    """What a scan found. `metadata` holds the undamaged sections; each of `problems` is one line."""

    version: tuple[int, int]
    header: Header
    metadata: Metadata
    problems: tuple[str, ...]
    _found: Mapping[int, TileReport]

    @property
    def intact(self) -> bool:
        """Whether `parse` accepts the same bytes."""
        return not self.problems

    def tile(self, index: int) -> TileReport:
        """The state of tile `index`, 0 … `header.tile_count` − 1."""
        missing = TileReport(index, TileState.MISSING, problem="not in the file, or not to be recognised")
        return self._found.get(index, missing)

    def tiles(self) -> Iterator[TileReport]:
        """The state of every tile, in raster order."""
        return map(self.tile, range(self.header.tile_count))


def scan(data: bytes | bytearray | memoryview, limits: Limits = DEFAULT_LIMITS) -> ScanReport:
    """Check every checksum in `data` and find every tile that is intact.

    Raises what `parse` raises where the signature, the version or the header is not usable, and for
    a critical section of unknown type; all else becomes one of the report's problems. Memory and
    time are linear in the size of `data`, whatever its header says.
    """
    source = MemorySource(data)
    version = read_prefix(source)
    section = Section(HEAD, PREFIX.size, HEAD_PAYLOAD.size)
    if source.size < section.end:
        raise DamagedError(f"file is cut: it ends after {source.size} bytes, before the end of the header")
    header, repeated_version = read_header(source, section, limits)
    scanner = _Scanner(source, header, limits)
    if source.read(section.offset, SECTION_START.size) != SECTION_START.pack(HEAD.encode(), section.length):
        scanner.problems.append(f"{section} is damaged: its type or length is wrong")
    if repeated_version != version:
        scanner.problems.append("version at offset 8 is damaged: it differs from the header's")
    scanner.walk(section.end)
    return ScanReport(
        version=repeated_version,
        header=header,
        metadata=Metadata(**scanner.metadata),
        problems=tuple(scanner.problems),
        _found=scanner.found,
    )


class _Scanner:
    """The state of one scan; `_next_index` is one more than the index of the last intact tile met."""

    def __init__(self, source: Source, header: Header, limits: Limits) -> None:
        self._source = source
        self._header = header
        self._limits = limits
        self._wasted = 0
        self._next_index = 0
        self.problems: list[str] = []
        self.metadata: dict[str, bytes] = {}
        self.found: dict[int, TileReport] = {}

    def walk(self, offset: int) -> None:
        """Visit all sections from `offset` on."""
        ended = False
        while not ended and offset < self._source.size:
            try:
                section = read_section(self._source, offset)
                self._verify(section)
            except DamagedError as error:
                offset = self._step_over_damage(offset, str(error))
                continue
            self._accept(section)
            ended = section.type == END
            offset = section.end
        if not ended:
            self.problems.append("file is cut: it has no end section")
        lost = self._header.tile_count - sum(r.state is TileState.INTACT for r in self.found.values())
        if lost:
            self.problems.append(f"{lost} of {self._header.tile_count} tiles are lost")

    def _verify(self, section: Section) -> None:
        try:
            verify_payload(self._source, section)
        except DamagedError:
            self._wasted += section.length
            raise

    def _accept(self, section: Section) -> None:
        """Take in a section whose checksum holds."""
        try:
            if section.type == TILE:
                self._accept_tile(section)
            elif section.type in METADATA_SECTIONS:
                self._accept_metadata(section)
            elif section.type == HEAD:
                raise DamagedError(f"{section} is a second header")
            elif section.type == END:
                if section.length or section.end != self._source.size:
                    raise DamagedError(f"{section} is not the end of the file: bytes follow it")
            else:
                check_unknown(section, self._limits)
        except (DamagedError, LimitError) as error:
            self.problems.append(str(error))

    def _accept_tile(self, section: Section) -> None:
        index = self._stored_index(section)
        if index is None:
            raise DamagedError(f"{section} is no tile of this picture")
        previous = self.found.get(index)
        if previous is not None and previous.state is TileState.INTACT:
            raise DamagedError(f"{section} holds tile {index} a second time")
        self.found[index] = TileReport(index, TileState.INTACT, read_tile(self._source, section))
        expected, self._next_index = self._next_index, index + 1
        if index < expected:
            raise DamagedError(f"{section} holds tile {index} behind a later one")

    def _accept_metadata(self, section: Section) -> None:
        check_metadata_length(section, self._limits)
        name = METADATA_SECTIONS[section.type]
        if name in self.metadata:
            raise DamagedError(f"{section} is the second of its kind")
        self.metadata[name] = bytes(self._source.read(section.payload_offset, section.length))
        if self._next_index:
            raise DamagedError(f"{section} stands behind the first tile")

    def _step_over_damage(self, offset: int, problem: str) -> int:
        """Note what is damaged at `offset`; returns where to go on, the file's size if nowhere."""
        self.problems.append(problem)
        section = self._section_at(offset)
        is_tile = self._source.read(offset, 4) == TILE.encode()
        index = self._next_index
        resume = None
        # The length is believed only where the right section stands behind it; otherwise an intact
        # tile may stand inside what it claims.
        if section is not None and is_tile:
            for candidate in (self._next_index, self._stored_index(section)):
                if candidate is not None and self._leads_to(section, candidate + 1):
                    index, resume = candidate, section.end
                    break
        elif section is not None and self._leads_to(section, self._next_index):
            resume = section.end
        if resume is None:
            resume = self._search(offset + 1)
        if is_tile and index < self._header.tile_count and index not in self.found:
            cut = section is None and resume == self._source.size
            state = TileState.TRUNCATED if cut else TileState.DAMAGED
            self.found[index] = TileReport(index, state, problem=problem)
        return resume

    def _section_at(self, offset: int) -> Section | None:
        try:
            return read_section(self._source, offset)
        except DamagedError:
            return None

    def _stored_index(self, section: Section) -> int | None:
        """The index in a tile section, None where no tile of this header can be so."""
        if section.length < TILE_START.size:
            return None
        index, _ = TILE_START.unpack(self._source.read(section.payload_offset, TILE_START.size))
        if index >= self._header.tile_count:
            return None
        try:
            check_tile_length(self._header.tile_rect(index), section.length)
        except FormatError:
            return None
        return int(index)

    def _leads_to(self, section: Section, index: int) -> bool:
        """Whether what stands behind `section` is tile `index`.

        In its place also the end section behind the last tile, and metadata before the first.
        """
        following = self._section_at(section.end)
        if following is None:
            return False
        if following.type == TILE:
            return self._stored_index(following) == index
        if following.type == END:
            return following.length == 0 and index == self._header.tile_count
        return following.type in METADATA_SECTIONS and index == 0

    def _search(self, start: int) -> int:
        """The offset of the next tile or end section from `start` on, the file's size if none is left."""
        view = self._source.read(0, self._source.size)
        for match in _LANDMARK.finditer(view, start):
            section = self._section_at(match.start())
            if section is None:
                continue
            if section.type == END:
                return section.offset
            index = self._stored_index(section)
            if index is not None and (self._leads_to(section, index + 1) or self._holds(section)):
                return section.offset
            if self._wasted > _SEARCH_EFFORT * self._source.size:
                self.problems.append(f"search for tiles was given up at offset {section.offset}")
                break
        return self._source.size

    def _holds(self, section: Section) -> bool:
        try:
            self._verify(section)
        except DamagedError:
            return False
        return True
