"""The tolerant walk: which tiles of a damaged file it finds, what it says, and what it costs."""

from __future__ import annotations

import struct
import time

import pytest

from jdcodec.container import TileState, parse, scan
from jdcodec.errors import FormatError

from . import samples
from .samples import END, EXIF, HEAD, SMALL, START, TILES, XMP, section

INTACT, DAMAGED, TRUNCATED, MISSING = (
    TileState.INTACT,
    TileState.DAMAGED,
    TileState.TRUNCATED,
    TileState.MISSING,
)


def file(tiles: list[bytes], metadata: bytes = b"", end: bytes = END) -> bytes:
    return START + HEAD + metadata + b"".join(tiles) + end


def replaced(index: int, *others: bytes) -> list[bytes]:
    return [*TILES[:index], *others, *TILES[index + 1 :]]


def bad_payload(tile: bytes) -> bytes:
    return tile[:-5] + bytes([tile[-5] ^ 1]) + tile[-4:]


def bad_length(tile: bytes, length: int) -> bytes:
    return tile[:4] + struct.pack("<I", length) + tile[8:]


def states(data: bytes) -> list[TileState]:
    return [report.state for report in scan(data).tiles()]


def only(index: int, state: TileState) -> list[TileState]:
    return [state if i == index else INTACT for i in range(6)]


def test_good_file_has_no_problems() -> None:
    report = scan(SMALL)
    assert report.intact
    assert report.problems == ()
    assert report.version == (1, 0)
    assert report.header == samples.SMALL_HEADER
    assert report.metadata == samples.SMALL_FILE.metadata
    assert tuple(tile.tile for tile in report.tiles()) == samples.SMALL_FILE.tiles


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("length", [0, 3, 16, 52, 84, 116, 100_000, 2**32 - 1])
def test_reading_goes_on_behind_a_wrong_length(index: int, length: int) -> None:
    """52, 84 and 116 bytes end exactly where a later tile ends, and would swallow intact tiles."""
    damaged = file(replaced(index, bad_length(TILES[index], length)))
    assert states(damaged) == only(index, DAMAGED)


@pytest.mark.parametrize("index", range(6))
def test_reading_goes_on_behind_a_damaged_payload(index: int) -> None:
    report = scan(file(replaced(index, bad_payload(TILES[index]))))
    assert [tile.state for tile in report.tiles()] == only(index, DAMAGED)
    damaged = report.tile(index)
    assert damaged.tile is None
    assert damaged.problem is not None
    assert f"Tile section at offset {62 + 32 * index} is damaged" in damaged.problem
    assert report.problems == (damaged.problem, "1 of 6 tiles are lost")


def test_several_damaged_tiles_in_a_row_are_told_apart() -> None:
    tiles = [
        TILES[0],
        bad_length(TILES[1], 77),
        bad_payload(TILES[2]),
        bad_payload(TILES[3]),
        TILES[4],
        bad_length(TILES[5], 0),
    ]
    assert states(file(tiles)) == [INTACT, DAMAGED, DAMAGED, DAMAGED, INTACT, DAMAGED]


def test_last_tile_is_known_to_be_damaged_by_the_end_behind_it() -> None:
    tiles = [*TILES[:4], bad_length(TILES[4], 77), bad_payload(TILES[5])]
    assert states(file(tiles)) == [INTACT, INTACT, INTACT, INTACT, DAMAGED, DAMAGED]


def test_damaged_tile_behind_a_missing_one_is_known_by_its_index() -> None:
    tiles = [*TILES[:2], bad_payload(TILES[3]), *TILES[4:]]
    assert states(file(tiles)) == [INTACT, INTACT, MISSING, DAMAGED, INTACT, INTACT]


def test_damaged_copy_of_a_tile_does_not_hide_the_intact_one() -> None:
    for copies in ([TILES[3], bad_payload(TILES[3])], [bad_payload(TILES[3]), TILES[3]]):
        report = scan(file(replaced(3, *copies)))
        assert all(tile.state is INTACT for tile in report.tiles())
        assert len(report.problems) == 1
    report = scan(file([TILES[1], TILES[0], bad_payload(TILES[1]), *TILES[2:]]))
    assert all(tile.state is INTACT for tile in report.tiles())


def test_tile_with_a_damaged_index_is_known_by_its_place() -> None:
    for wrong_index in (4, 5, 6, 2**32 - 1):
        tile = TILES[2][:8] + struct.pack("<I", wrong_index) + TILES[2][12:]
        assert states(file(replaced(2, tile))) == only(2, DAMAGED)


def test_tile_left_out_is_missing() -> None:
    report = scan(file(replaced(3)))
    assert [tile.state for tile in report.tiles()] == only(3, MISSING)
    assert report.problems == ("1 of 6 tiles are lost",)


@pytest.mark.parametrize("junk", [b"\0", b"Tile", b"x" * 1000, END[:-1], TILES[0][:20]])
def test_junk_between_two_tiles_costs_none(junk: bytes) -> None:
    report = scan(file(replaced(3, junk, TILES[3])))
    assert report.problems
    assert all(tile.state is INTACT for tile in report.tiles())


def test_tile_with_a_damaged_type_is_lost_alone() -> None:
    for type_ in (b"tile", b"Uile", b"\0\0\0\0", b"exif", b"Tend", b"Head"):
        assert states(file(replaced(2, type_ + TILES[2][4:]))) == only(2, MISSING)


def test_cut_tile_is_truncated() -> None:
    data = file(TILES, end=b"")
    assert states(data[:-1]) == only(5, TRUNCATED)


def test_repeated_tile_is_a_problem_and_the_first_one_counts() -> None:
    other = section(b"Tile", struct.pack("<II", 2, 7) + bytes(12))
    report = scan(file([*TILES[:3], other, *TILES[3:]]))
    assert report.tile(2).tile == samples.SMALL_FILE.tiles[2]
    assert any("holds tile 2 a second time" in problem for problem in report.problems)


def test_exchanged_tiles_are_a_problem_and_both_are_found() -> None:
    report = scan(file([TILES[0], TILES[2], TILES[1], *TILES[3:]]))
    assert all(tile.state is INTACT for tile in report.tiles())
    assert len(report.problems) == 1
    assert "holds tile 1 behind a later one" in report.problems[0]


def test_damaged_metadata_costs_neither_tiles_nor_other_metadata() -> None:
    report = scan(file(TILES, metadata=bad_payload(EXIF) + XMP))
    assert all(tile.state is INTACT for tile in report.tiles())
    assert report.metadata.exif is None
    assert report.metadata.xmp == b"<x/>"


def test_tiles_of_a_picture_inside_damaged_metadata_are_not_taken() -> None:
    """A preview that is itself a .jdc file holds tiles with good checksums, of another picture."""
    other = section(b"Tile", struct.pack("<II", 0, 99) + bytes(12))
    preview = section(b"exif", START + HEAD + other + END)
    report = scan(file(TILES, metadata=bad_payload(preview)))
    assert tuple(tile.tile for tile in report.tiles()) == samples.SMALL_FILE.tiles


def test_unknown_critical_section_is_refused_even_so() -> None:
    with pytest.raises(FormatError, match="Tree section at offset 62 is of a kind unknown"):
        scan(file([section(b"Tree"), *TILES]))


def test_many_false_tiles_cost_linear_time() -> None:
    """Each claims all that is left, so that naive checking would read 20,000 × 320 kB."""
    count = 20_000
    false_tiles = bytearray()
    for left in range(count, 0, -1):
        false_tiles += struct.pack("<4sIII", b"Tile", 16 * left - 12, 0, 0)
    header = samples.head(width=4096, height=4096, coded_width=4096, coded_height=4096, tile_size=4096)
    data = START + header + b"\0" + bytes(false_tiles)
    started = time.process_time()
    report = scan(data)
    assert time.process_time() - started < 2
    assert any("search for tiles was given up" in problem for problem in report.problems)
    assert report.tile(0).state is MISSING


def test_header_of_many_tiles_costs_nothing() -> None:
    header = samples.head(width=20_000, height=20_000, coded_width=20_032, coded_height=20_032)
    report = scan(START + header + TILES[0])
    assert report.header.tile_count == 313**2
    assert report.tile(0).state is INTACT
    assert report.tile(97_968).state is MISSING


def test_scan_and_parse_agree_on_damage_that_is_only_structure() -> None:
    for data in (SMALL + b"\0", file(TILES, end=b""), file([*TILES, EXIF]), file(TILES, EXIF + EXIF)):
        assert scan(data).problems
        with pytest.raises(FormatError):
            parse(data)
