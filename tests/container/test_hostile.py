"""The catalogue of hostile files: for each rule of `docs/format.md`, files that break it, and the error.

All checksums hold except where the checksum is the point.
"""

from __future__ import annotations

import re
import struct
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from jdcodec.container import Limits, parse, scan
from jdcodec.container.layout import DEFAULT_LIMITS
from jdcodec.errors import DamagedError, FormatError, JdcError, LimitError

from . import samples
from .samples import END, EXIF, HEAD, SIGNATURE, SMALL, START, TILES, XMP, section

ALL_TILES = b"".join(TILES)
FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


@dataclass(frozen=True)
class Hostile:
    """A file that breaks `rule`, the error it gets and words of its message."""

    rule: str
    name: str
    data: bytes
    error: type[JdcError]
    words: str
    limits: Limits = DEFAULT_LIMITS


def with_head(**fields: int | bytes) -> bytes:
    return START + samples.head(**fields) + ALL_TILES + END


def with_first_tile(tile: bytes) -> bytes:
    return START + HEAD + tile + b"".join(TILES[1:]) + END


def as_text(old: bytes, new: bytes) -> bytes:
    return SMALL.replace(old, new)


GIGAPIXEL = {"width": 40_000, "height": 25_000, "coded_width": 40_000, "coded_height": 25_024}
NO_LIMITS = Limits(max_side=2**32, max_pixels=2**64, max_metadata_bytes=2**32)

CATALOGUE = [
    Hostile("R1", "empty", b"", FormatError, "not a .jdc file: it is empty"),
    Hostile(
        "R1",
        "png",
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        FormatError,
        "not a .jdc file: it begins with 89 50 4e 47 0d 0a 1a 0a",
    ),
    Hostile("R1", "one other byte", b"x", FormatError, "not a .jdc file: it begins with 78"),
    Hostile("R1", "cut signature", SIGNATURE[:5], DamagedError, "file is cut: it ends after 5 bytes"),
    Hostile("R1", "cut version", START[:9], DamagedError, "file is cut: it ends after 9 bytes"),
    Hostile("R1", "CR LF to LF", as_text(b"\r\n", b"\n"), DamagedError, "transferred as text"),
    Hostile("R1", "LF to CR LF", as_text(b"\n", b"\r\n"), DamagedError, "transferred as text"),
    Hostile("R1", "lone LF to CR LF", as_text(b"\x1a\n", b"\x1a\r\n"), DamagedError, "transferred as text"),
    Hostile("R1", "CR to LF", as_text(b"\r", b"\n"), DamagedError, "transferred as text"),
    Hostile("R1", "LF to CR", as_text(b"\n", b"\r"), DamagedError, "transferred as text"),
    Hostile("R1", "seven bits", bytes(b & 127 for b in SMALL), DamagedError, "transferred as text"),
    Hostile("R1", "UTF-8", SMALL.decode("utf-8", "replace").encode(), DamagedError, "transferred as text"),
    Hostile("R1", "Latin-1", SMALL.decode("latin-1").encode(), DamagedError, "transferred as text"),
    Hostile(
        "R1",
        "ASCII with question marks",
        SMALL.decode("ascii", "replace").encode("ascii", "replace"),
        DamagedError,
        "transferred as text",
    ),
    Hostile("R2", "major 2", SIGNATURE + b"\2\0" + SMALL[10:], FormatError, "version 2.0 is unknown"),
    Hostile("R2", "major 0", SIGNATURE + b"\0\1" + SMALL[10:], FormatError, "version 0.1 is unknown"),
    Hostile("R3", "nothing behind the version", START, DamagedError, "0 bytes at offset 10, where a section"),
    Hostile("R3", "no header", START + ALL_TILES + END, DamagedError, "where the Head section"),
    Hostile(
        "R3",
        "metadata before the header",
        START + EXIF + HEAD + ALL_TILES + END,
        DamagedError,
        "exif section at offset 10 of 8 bytes stands where the Head section",
    ),
    Hostile(
        "R3",
        "longer header",
        START + section(b"Head", samples.head_payload() + b"\0") + ALL_TILES + END,
        DamagedError,
        "Head section at offset 10 of 41 bytes stands where",
    ),
    Hostile("R3", "empty header", START + section(b"Head") + END, DamagedError, "of 0 bytes stands where"),
    Hostile(
        "R4", "minor only in the header", with_head(minor=1), DamagedError, "1.0 at offset 8, but 1.1 in the"
    ),
    Hostile("R4", "major only in the header", with_head(major=2), DamagedError, "but 2.0 in the header"),
    Hostile("R5", "quality 225", with_head(quality=225), FormatError, "quality code 225 is outside 0…224"),
    Hostile("R5", "denoise 101", with_head(denoise=101), FormatError, "in percent 101 is outside 0…100"),
    Hostile("R5", "colour 2", with_head(color=2), FormatError, "colour 2 is outside 0…1"),
    Hostile("R5", "bit depth 0", with_head(bit_depth=0), FormatError, "bit depth 0 is neither"),
    Hostile("R5", "width 0", with_head(width=0, coded_width=0), FormatError, "display width 0 is outside"),
    Hostile(
        "R5", "height 0", with_head(height=0, coded_height=0), FormatError, "display height 0 is outside"
    ),
    Hostile(
        "R5",
        "width that overflows when rounded up",
        with_head(width=2**32 - 1, coded_width=0),
        FormatError,
        "display width 4294967295 is outside",
        NO_LIMITS,
    ),
    Hostile("R5", "tile size 0", with_head(tile_size=0), FormatError, "tile size 0 is outside 64…4096"),
    Hostile("R5", "tile size 65", with_head(tile_size=65), FormatError, "65 is not a multiple of 64"),
    Hostile("R5", "tile size 65472", with_head(tile_size=65_472), FormatError, "65472 is outside"),
    Hostile(
        "R5",
        "2**52 tiles",
        with_head(width=2**32 - 64, height=2**32 - 64, coded_width=2**32 - 64, coded_height=2**32 - 64),
        FormatError,
        "more than a 32-bit index can count",
        NO_LIMITS,
    ),
    Hostile(
        "R6",
        "coded size not rounded up",
        with_head(coded_width=130),
        FormatError,
        "Head section at offset 10: coded size 130 × 128 does not fit the display size 130 × 70",
    ),
    Hostile("R6", "coded size too large", with_head(coded_height=192), FormatError, "needs 192 × 128"),
    Hostile("R6", "coded size 0", with_head(coded_width=0, coded_height=0), FormatError, "coded size 0 × 0"),
    Hostile(
        "R7", "10**9 pixels", with_head(**GIGAPIXEL), LimitError, "beyond the limit of 400,000,000 pixels"
    ),
    Hostile(
        "R7",
        "65,536 pixels a side",
        with_head(width=65_536, coded_width=65_536),
        LimitError,
        "65536 × 70 pixels is beyond the limit of 65,535 pixels a side",
    ),
    Hostile("R7", "the caller's limit", SMALL, LimitError, "limit of 9,099", Limits(max_pixels=9_099)),
    Hostile(
        "R7",
        "long metadata",
        START + HEAD + EXIF + ALL_TILES + END,
        LimitError,
        "exif section at offset 62 has 8 bytes, beyond the limit of 7",
        Limits(max_metadata_bytes=7),
    ),
    Hostile(
        "R7",
        "long unknown section",
        START + HEAD + section(b"zzzz", bytes(10)) + ALL_TILES + END,
        LimitError,
        "zzzz section at offset 62 has 10 bytes",
        Limits(max_metadata_bytes=9),
    ),
    Hostile(
        "R8",
        "10**9 pixels in 300 bytes",
        with_head(**GIGAPIXEL),
        DamagedError,
        "its 244375 tiles take 4887512 bytes or more, but only 204 follow",
        NO_LIMITS,
    ),
    Hostile("R8", "header alone", START + HEAD, DamagedError, "6 tiles take 132 bytes or more, but only 0"),
    Hostile(
        "R9",
        "zeros for a section",
        START + HEAD + bytes(12) + ALL_TILES + END,
        DamagedError,
        "no section begins at offset 62, but 00 00 00 00",
    ),
    Hostile(
        "R9",
        "type with a letter beyond ASCII",
        START + HEAD + section("até".encode()[:4]) + ALL_TILES + END,
        DamagedError,
        "no section begins at offset 62, but 61 74 c3 a9",
    ),
    *(
        Hostile(
            "R10",
            f"length 2**32 - 1 of {type_.decode()}",
            START + first + section(type_, length=2**32 - 1) + ALL_TILES + END,
            DamagedError,
            f"{type_.decode()} section at offset {10 + len(first)} runs past the end of the file",
            NO_LIMITS,
        )
        for first, type_ in [
            (b"", b"Head"),
            (HEAD, b"exif"),
            (HEAD, b"zzzz"),
            (HEAD, b"Zzzz"),
            (HEAD, b"Tile"),
            (HEAD, b"Tend"),
        ]
    ),
    Hostile(
        "R11",
        "header's checksum",
        START + section(b"Head", samples.head_payload(), crc=0) + ALL_TILES + END,
        DamagedError,
        "Head section at offset 10 is damaged: its checksum is 00000000",
    ),
    *(
        Hostile(
            "R11",
            f"checksum of {type_.decode()}",
            START + HEAD + section(type_, b"1234", crc=1) + ALL_TILES + END,
            DamagedError,
            f"{type_.decode()} section at offset 62 is damaged: its checksum is 00000001",
        )
        for type_ in (b"exif", b"zzzz", b"Zzzz")
    ),
    Hostile(
        "R11",
        "tile's checksum",
        with_first_tile(section(b"Tile", samples.tile_payload(0), crc=2)),
        DamagedError,
        "Tile section at offset 62 is damaged: its checksum is 00000002",
    ),
    Hostile(
        "R11",
        "end's checksum",
        START + HEAD + ALL_TILES + section(b"Tend", crc=3),
        DamagedError,
        "Tend section at offset 254 is damaged: its checksum is 00000003",
    ),
    Hostile(
        "R12",
        "unknown critical section",
        START + HEAD + section(b"Tree") + ALL_TILES + END,
        FormatError,
        "Tree section at offset 62 is of a kind unknown to this program",
    ),
    Hostile(
        "R12",
        "critical in its first letter alone",
        START + HEAD + ALL_TILES + section(b"Exif", b"1") + END,
        FormatError,
        "Exif section at offset 254 is of a kind unknown",
    ),
    Hostile("R13", "two headers", START + HEAD + HEAD + ALL_TILES + END, DamagedError, "is a second header"),
    Hostile(
        "R13", "header behind the tiles", START + HEAD + ALL_TILES + HEAD + END, DamagedError, "second header"
    ),
    Hostile(
        "R14",
        "metadata twice",
        START + HEAD + EXIF + XMP + EXIF + ALL_TILES + END,
        DamagedError,
        "exif section at offset 98 is the second of its kind",
    ),
    Hostile(
        "R15",
        "metadata between tiles",
        START + HEAD + TILES[0] + XMP + b"".join(TILES[1:]) + END,
        DamagedError,
        "xmpd section at offset 94 stands behind the first tile",
    ),
    Hostile(
        "R15", "metadata behind the tiles", START + HEAD + ALL_TILES + EXIF + END, DamagedError, "behind the"
    ),
    Hostile(
        "R16",
        "tile twice",
        START + HEAD + TILES[0] + ALL_TILES + END,
        DamagedError,
        "Tile section at offset 94 holds tile 0 where tile 1 must stand",
    ),
    Hostile(
        "R16",
        "tiles exchanged",
        START + HEAD + TILES[1] + TILES[0] + b"".join(TILES[2:]) + END,
        DamagedError,
        "holds tile 1 where tile 0 must stand",
    ),
    Hostile(
        "R16",
        "first tile left out",
        START + HEAD + b"".join(TILES[1:]) + END,
        DamagedError,
        "holds tile 1 where tile 0 must stand",
    ),
    Hostile(
        "R16",
        "one tile too many",
        START + HEAD + ALL_TILES + samples.tile(6) + END,
        DamagedError,
        "Tile section at offset 254 is one more than the 6 tiles of the header",
    ),
    Hostile(
        "R17",
        "tile without index",
        with_first_tile(section(b"Tile")),
        DamagedError,
        "Tile section at offset 62: payload of 0 bytes is outside 8…131080",
    ),
    Hostile(
        "R17",
        "tile without checksum of symbols",
        with_first_tile(section(b"Tile", bytes(4))),
        DamagedError,
        "payload of 4 bytes is outside 8…131080",
    ),
    Hostile(
        "R17",
        "tile of half a word",
        with_first_tile(section(b"Tile", samples.tile_payload(0) + b"12")),
        DamagedError,
        "payload of 22 bytes is not a whole number of 32-bit words",
    ),
    Hostile(
        "R17",
        "tile longer than its pixels can need",
        with_first_tile(section(b"Tile", samples.tile_payload(0, 64 * 64 * 8 + 1))),
        DamagedError,
        "payload of 131084 bytes is outside 8…131080",
    ),
    Hostile(
        "R18",
        "last tile left out",
        START + HEAD + b"".join(TILES[:-1]) + END,
        DamagedError,
        "Tend section at offset 222 comes after 5 of 6 tiles",
    ),
    Hostile(
        "R18",
        "end before the tiles",
        START + HEAD + END + ALL_TILES,
        DamagedError,
        "comes after 0 of 6 tiles",
    ),
    Hostile(
        "R19",
        "end with a payload",
        START + HEAD + ALL_TILES + section(b"Tend", b"bye"),
        DamagedError,
        "Tend section at offset 254 has 3 bytes instead of none",
    ),
    Hostile(
        "R20", "one byte behind the end", SMALL + b"\0", DamagedError, "1 bytes follow the end of the file"
    ),
    Hostile("R20", "two ends", SMALL + END, DamagedError, "12 bytes follow the end of the file at"),
    Hostile("R20", "two files", SMALL + SMALL, DamagedError, "bytes follow the end of the file at"),
    Hostile(
        "R21",
        "no end",
        START + HEAD + EXIF + ALL_TILES,
        DamagedError,
        "file is cut: 0 bytes at offset 274, where a section should stand",
    ),
    Hostile("R21", "cut end", SMALL[:-1], DamagedError, "file is cut: 11 bytes at offset 290"),
]


@pytest.mark.parametrize("read", [parse, samples.read_all])
@pytest.mark.parametrize("case", CATALOGUE, ids=lambda case: f"{case.rule} {case.name}")
def test_hostile_file_gets_its_error(case: Hostile, read) -> None:
    with pytest.raises(JdcError, match=re.escape(case.words)) as caught:
        read(case.data, case.limits)
    assert type(caught.value) is case.error
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", CATALOGUE, ids=lambda case: f"{case.rule} {case.name}")
def test_hostile_file_is_no_surprise_for_scan(case: Hostile) -> None:
    try:
        report = scan(case.data, case.limits)
    except JdcError:
        return
    assert report.problems
    for tile in report.tiles() if report.header.tile_count < 100 else ():
        assert tile.tile is None or tile.index == tile.tile.index


def test_every_rule_of_the_specification_has_a_hostile_file() -> None:
    rules = re.findall(r"^\| (R\d+) \|", FORMAT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(rules) > 20
    assert sorted(rules) == sorted({case.rule for case in CATALOGUE})


@pytest.mark.parametrize("read", [parse, samples.read_all, scan])
def test_header_of_many_pixels_costs_no_memory(read) -> None:
    data = with_head(**GIGAPIXEL)
    tracemalloc.start()
    try:
        read(data, NO_LIMITS)
    except DamagedError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("read", [parse, samples.read_all])
@pytest.mark.parametrize(
    "data",
    [
        SIGNATURE + b"\1\1" + samples.head(minor=1) + SMALL[62:],
        SIGNATURE + b"\1\xff" + samples.head(minor=255) + SMALL[62:],
        START + HEAD + section(b"zzzz", b"news") + SMALL[62:],
        START + HEAD + section(b"zZZZ") + section(b"zZZZ") + SMALL[62:],
        SMALL[:130] + section(b"tile", b"1234") + SMALL[130:],
        SMALL[:-12] + section(b"zzzz", bytes(1000)) + END,
        START + HEAD + XMP + EXIF + ALL_TILES + END,
    ],
)
def test_news_that_a_decoder_may_pass_over(data: bytes, read) -> None:
    """A higher minor version, unknown ancillary sections anywhere, metadata in another order."""
    file = read(data)
    assert file.tiles == samples.SMALL_FILE.tiles
    assert file.metadata == samples.SMALL_FILE.metadata
    assert file.version == (data[8], data[9])
    assert scan(data).intact


def test_limits_can_be_raised_by_the_caller() -> None:
    header = samples.head(width=70_000, height=1, coded_width=70_016, coded_height=64, tile_size=4096)
    data = START + header + b"".join(section(b"Tile", struct.pack("<II", i, 0)) for i in range(18)) + END
    with pytest.raises(LimitError):
        parse(data)
    assert parse(data, Limits(max_side=70_000)).header.width == 70_000
