"""The lazy reader: it reads little, checks all structure, and reads single tiles."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from jdcodec.container import JdcFile, Reader, Tile, parse, serialize
from jdcodec.errors import DamagedError

from . import samples
from .samples import SMALL


class CountingFile(io.BytesIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_opening_reads_no_tile() -> None:
    tiles = tuple(Tile(index, 0, bytes(100_000)) for index in range(6))
    file = CountingFile(serialize(JdcFile(samples.SMALL_HEADER, tiles)))
    reader = Reader(file)
    assert file.count < 500
    file.count = 0
    assert reader.read_tile(4).data == bytes(100_000)
    assert file.count < 100_100


def test_tiles_are_read_in_any_order() -> None:
    reader = Reader(io.BytesIO(SMALL))
    for index in (5, 0, 3, 3):
        assert reader.read_tile(index) == samples.SMALL_FILE.tiles[index]


@pytest.mark.parametrize("index", [-1, 6])
def test_tile_outside_the_file_is_an_index_error(index: int) -> None:
    with pytest.raises(IndexError, match="no tile"):
        Reader(io.BytesIO(SMALL)).read_tile(index)


def test_sections_tell_what_lies_where() -> None:
    reader = Reader(io.BytesIO(SMALL))
    assert [s.type for s in reader.sections] == ["Head", "exif", "xmpd", *["Tile"] * 6, "Tend"]
    assert [s.offset for s in reader.sections[:4]] == [10, 62, 82, 98]
    assert reader.sections[-1].end == len(SMALL)
    assert sum(s.length for s in reader.sections if s.type == "Tile") == 6 * 20


def test_damaged_tile_is_noticed_when_it_is_read() -> None:
    damaged = bytearray(SMALL)
    damaged[SMALL.index(samples.TILES[3]) + 20] ^= 1
    reader = Reader(io.BytesIO(damaged))
    assert reader.read_tile(2) == samples.SMALL_FILE.tiles[2]
    with pytest.raises(DamagedError, match="Tile section at offset 194 is damaged: its checksum"):
        reader.read_tile(3)


def test_file_that_shrinks_while_it_is_read_is_an_error() -> None:
    file = io.BytesIO(SMALL)
    reader = Reader(file)
    file.truncate(len(SMALL) - 30)
    with pytest.raises(DamagedError, match="file became shorter while it was read"):
        reader.read_tile(5)


def test_real_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "é.jdc"
    path.write_bytes(SMALL)
    with path.open("rb") as file:
        assert Reader(file).read_tile(1) == parse(SMALL).tiles[1]
