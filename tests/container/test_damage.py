"""Any flipped bit and any cut is an error, from `parse` and from `Reader`, and costs one tile at most."""

from __future__ import annotations

import pytest

from jdcodec.container import TileState, parse, scan
from jdcodec.errors import DamagedError, FormatError, JdcError

from . import samples

SMALL = samples.SMALL
TILES_START = SMALL.index(samples.TILES[0])
TILES_END = len(SMALL) - len(samples.END)


def with_flipped_bit(data: bytes, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


@pytest.mark.parametrize("read", [parse, samples.read_all])
def test_every_flipped_bit_is_an_error(read) -> None:
    for bit in range(8 * len(SMALL)):
        damaged = with_flipped_bit(SMALL, bit)
        with pytest.raises(FormatError) as caught:
            read(damaged)
        assert "\n" not in str(caught.value)
        # Only the signature and the major version may say that this is another kind of file.
        if bit >= 8 * 9:
            assert isinstance(caught.value, DamagedError), f"bit {bit}: {caught.value}"


@pytest.mark.parametrize("read", [parse, samples.read_all])
def test_every_cut_is_an_error(read) -> None:
    for length in range(len(SMALL)):
        with pytest.raises(FormatError):
            read(SMALL[:length])
        if length:
            with pytest.raises(DamagedError):
                read(SMALL[:length])


def test_flipped_bit_behind_the_header_costs_one_tile_at_most() -> None:
    for bit in range(8 * samples.HEAD_SECTION_END, 8 * len(SMALL)):
        report = scan(with_flipped_bit(SMALL, bit))
        assert report.problems, f"bit {bit} was not noticed"
        lost = [tile.index for tile in report.tiles() if tile.state is not TileState.INTACT]
        byte = bit // 8
        hit = [(byte - TILES_START) // 32] if TILES_START <= byte < TILES_END else []
        assert lost == hit, f"bit {bit}: {report.problems}"
        for tile in report.tiles():
            if tile.state is TileState.INTACT:
                assert tile.tile == samples.SMALL_FILE.tiles[tile.index]
        assert report.metadata.exif in (None, samples.SMALL_FILE.metadata.exif)


def test_flipped_bit_in_the_header_is_noticed_by_scan() -> None:
    survived = 0
    for bit in range(8 * samples.HEAD_SECTION_END):
        try:
            report = scan(with_flipped_bit(SMALL, bit))
        except JdcError:
            continue
        survived += 1
        assert report.problems
        assert report.header == samples.SMALL_HEADER
        assert all(tile.state is TileState.INTACT for tile in report.tiles())
    # The minor version, and type and length of the header's section, can be told from the rest.
    assert survived == 8 * (1 + 4 + 4)


def test_cut_file_keeps_the_tiles_in_front_of_the_cut() -> None:
    for length in range(samples.HEAD_SECTION_END, len(SMALL)):
        report = scan(SMALL[:length])
        whole = max(0, min(6, (length - TILES_START) // 32))
        states = [tile.state for tile in report.tiles()]
        assert states[:whole] == [TileState.INTACT] * whole
        assert TileState.INTACT not in states[whole:]
        assert any("no end section" in problem for problem in report.problems)
