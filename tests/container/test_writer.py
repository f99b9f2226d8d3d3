"""The writer refuses to make a file that a reader must refuse."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from jdcodec.container import JdcFile, Limits, Metadata, Tile, Writer, serialize
from jdcodec.errors import FormatError, JdcError, LimitError

from . import samples

TILES = samples.SMALL_FILE.tiles


@pytest.mark.parametrize(
    ("tiles", "words"),
    [
        (TILES[:-1], "file cannot be ended: 5 of 6 tiles are written"),
        ((), "file cannot be ended: 0 of 6 tiles are written"),
        (TILES[1:], "tile 1 of 6 cannot be written: 0 are written already"),
        ((TILES[0], TILES[0]), "tile 0 of 6 cannot be written: 1 are written already"),
        ((*TILES, replace(TILES[0], index=6)), "tile 6 of 6 cannot be written"),
        ((Tile(0, -1, b""),), "tile 0: -1 is not a CRC-32"),
        ((Tile(0, 2**32, b""),), "tile 0: 4294967296 is not a CRC-32"),
        ((Tile(0, 0, b"12345"),), "payload of 13 bytes is not a whole number of 32-bit words"),
        ((Tile(0, 0, bytes(64 * 64 * 32 + 4)),), "payload of 131084 bytes is outside 8…131080"),
    ],
)
def test_impossible_tiles_are_refused(tiles: tuple[Tile, ...], words: str) -> None:
    with pytest.raises(FormatError, match=words):
        serialize(JdcFile(samples.SMALL_HEADER, tiles))


def test_longest_tile_is_written() -> None:
    longest = Tile(0, 0, bytes(64 * 64 * 32))
    assert len(serialize(JdcFile(samples.SMALL_HEADER, (longest, *TILES[1:])))) > 64 * 64 * 32


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_side=129), "130 × 70 pixels is beyond the limit of 129 pixels a side"),
        (Limits(max_pixels=9_099), "130 × 70 pixels is beyond the limit of 9,099 pixels"),
        (Limits(max_metadata_bytes=9), "icc metadata of 10 bytes is beyond the limit of 9"),
    ],
)
def test_what_is_beyond_the_limits_is_refused_before_the_first_byte(limits: Limits, words: str) -> None:
    buffer = io.BytesIO()
    with pytest.raises(LimitError, match=words):
        Writer(buffer, samples.SMALL_HEADER, Metadata(icc=bytes(10)), limits)
    assert buffer.getvalue() == b""


def test_limits_can_be_raised() -> None:
    header = replace(samples.SMALL_HEADER, width=70_000, height=1, tile_size=4096)
    tiles = tuple(Tile(index, 0, b"") for index in range(header.tile_count))
    with pytest.raises(JdcError):
        serialize(JdcFile(header, tiles))
    assert serialize(JdcFile(header, tiles), Limits(max_side=70_000))
