"""Arbitrary bytes: readers raise nothing but `JdcError`, agree with each other, and hold little memory."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jdcodec.container import JdcFile, TileState, parse, scan
from jdcodec.errors import FormatError, JdcError

from . import samples
from .samples import END, EXIF, HEAD, SMALL, START, TILES, XMP, section

# Every byte of a file warrants at most so many bytes of Python objects (a tile of 20 bytes, listed).
MEMORY_PER_BYTE = 100
MEMORY = 200_000

# A busy machine is no failure.
FUZZ = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

types = st.sampled_from([b"Head", b"exif", b"xmpd", b"iccp", b"grai", b"Tile", b"Tend", b"zzzz", b"Zzzz"])
lengths = st.one_of(st.integers(0, 100), st.sampled_from([2**16, 2**31, 2**32 - 1]))

# Files whose sections are well formed one by one, in any number and order, sometimes with a lie.
sound_sections = st.sampled_from([HEAD, EXIF, XMP, END, *TILES])
odd_sections = st.builds(
    section, types, st.binary(max_size=40), length=st.none() | lengths, crc=st.none() | st.just(0)
)
sizes = st.integers(0, 300) | st.integers(0, 2**32 - 1)
odd_heads = st.builds(
    samples.head,
    width=sizes,
    height=sizes,
    coded_width=st.sampled_from([64, 128, 192, 256, 320]),
    coded_height=st.sampled_from([64, 128, 192, 256, 320]),
    tile_size=st.sampled_from([0, 63, 64, 128, 4096, 65_535]),
    quality=st.integers(0, 255),
)
odd_tiles = st.builds(
    lambda index, words: section(b"Tile", struct.pack("<II", index, 0) + bytes(4 * words)),
    st.integers(0, 7),
    st.integers(0, 4),
)
structured = st.builds(
    lambda head, rest: START + head + b"".join(rest),
    st.just(HEAD) | odd_heads,
    st.lists(sound_sections | odd_tiles | odd_sections | st.binary(max_size=5), max_size=16),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good file with bytes replaced, put in and left out."""
    data = bytearray(SMALL)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        stop = start + draw(st.integers(0, 4) | st.integers(0, 100))
        data[start:stop] = draw(st.binary(max_size=4) | st.sampled_from([b"", END, TILES[2], SMALL]))
    return bytes(data)


hostile_bytes = st.one_of(
    st.binary(max_size=200), st.binary(max_size=200).map(START.__add__), mutated(), structured
)


def outcome(read: Callable[[bytes], JdcFile], data: bytes) -> JdcFile | tuple[type, str]:
    try:
        return read(data)
    except JdcError as error:
        assert "\n" not in str(error)
        return type(error), str(error)


@settings(FUZZ, max_examples=600)
@given(hostile_bytes)
def test_parse_reader_and_scan_agree(data: bytes) -> None:
    parsed = outcome(parse, data)
    assert outcome(samples.read_all, data) == parsed
    try:
        report = scan(data)
    except JdcError:
        assert not isinstance(parsed, JdcFile)
        return
    assert report.intact == isinstance(parsed, JdcFile)
    if isinstance(parsed, JdcFile):
        assert tuple(tile.tile for tile in report.tiles()) == parsed.tiles
        assert (report.header, report.metadata, report.version) == (
            parsed.header,
            parsed.metadata,
            parsed.version,
        )


@settings(FUZZ, max_examples=300)
@given(mutated())
def test_scan_never_takes_a_wrong_tile_for_an_intact_one(data: bytes) -> None:
    try:
        report = scan(data)
    except FormatError:
        return
    assert report.header == samples.SMALL_HEADER
    for tile in report.tiles():
        if tile.state is TileState.INTACT:
            assert tile.tile == samples.SMALL_FILE.tiles[tile.index]
        else:
            assert tile.problem


@settings(FUZZ, max_examples=150)
@given(hostile_bytes)
def test_memory_is_bounded_by_the_size_of_the_file(data: bytes) -> None:
    readers: list[Callable[[bytes], object]] = [parse, samples.read_all, scan]
    for read in readers:
        tracemalloc.start()
        try:
            read(data)
        except JdcError:
            pass
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert peak < MEMORY + MEMORY_PER_BYTE * len(data)


def test_memory_of_a_file_of_nothing_but_sections_is_bounded() -> None:
    header = samples.head(width=3200, height=3200, coded_width=3200, coded_height=3200)
    tiles = b"".join(section(b"Tile", struct.pack("<II", index, 0)) for index in range(50 * 50))
    data = START + header + section(b"zzzz") * 2_000 + tiles + END
    for read in (parse, samples.read_all, scan):
        tracemalloc.start()
        read(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MEMORY_PER_BYTE * len(data)
