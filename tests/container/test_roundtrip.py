"""What is written comes back, in the bytes that the specification says."""

from __future__ import annotations

import io

import pytest

from jdcodec.container import Header, JdcFile, Metadata, Tile, Writer, parse, serialize

from . import samples


def test_bytes_are_those_of_the_specification() -> None:
    assert serialize(samples.SMALL_FILE) == samples.SMALL


def test_parse_returns_what_was_serialized() -> None:
    assert parse(samples.SMALL) == samples.SMALL_FILE


def test_reader_returns_what_was_serialized() -> None:
    assert samples.read_all(samples.SMALL) == samples.SMALL_FILE


def test_tiles_are_views_without_a_copy() -> None:
    data = bytearray(samples.SMALL)
    file = parse(data)
    data[-16 - 4] ^= 0xFF  # the last byte but three of the last tile's words
    assert file.tiles[-1].data != samples.tile_data(5)
    assert isinstance(file.tiles[-1].data, memoryview)
    assert file.tiles[-1].data.readonly


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_is_read(kind: type) -> None:
    assert parse(kind(samples.SMALL)) == samples.SMALL_FILE


@pytest.mark.parametrize(
    "metadata",
    [
        Metadata(),
        Metadata(exif=b"e", xmp=b"x", icc=b"i", grain=b"g"),
        Metadata(icc=bytes(100_000)),
        Metadata(grain=b""),
    ],
)
def test_metadata_comes_back(metadata: Metadata) -> None:
    file = JdcFile(samples.SMALL_HEADER, samples.SMALL_FILE.tiles, metadata)
    data = serialize(file)
    assert parse(data) == file
    assert samples.read_all(data) == file


@pytest.mark.parametrize("words", [0, 1, 4096])
def test_tile_of_any_length_comes_back(words: int) -> None:
    header = Header.from_settings(
        model_id=samples.MODEL_ID, quality=1, denoise=0, gray=True, bit_depth=8, width=1, height=1
    )
    file = JdcFile(header, (Tile(0, 2**32 - 1, bytes(4 * words)),))
    assert parse(serialize(file)) == file


def test_writer_needs_no_seeking() -> None:
    class Pipe(io.BytesIO):
        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation("seek")

        def tell(self) -> int:
            raise io.UnsupportedOperation("tell")

    pipe = Pipe()
    writer = Writer(pipe, samples.SMALL_HEADER, samples.SMALL_FILE.metadata)
    for tile in samples.SMALL_FILE.tiles:
        writer.add_tile(tile)
    writer.finish()
    assert pipe.getvalue() == samples.SMALL


def test_file_of_a_newer_minor_version_is_written_back_as_ours() -> None:
    newer = (
        samples.SIGNATURE + b"\x01\x07" + samples.head(minor=7) + samples.SMALL[samples.HEAD_SECTION_END :]
    )
    file = parse(newer)
    assert file.version == (1, 7)
    assert serialize(file) == samples.SMALL
