"""A damaged file is an error, never other pixels than those that were coded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

import jdcodec
from jdcodec.container import JdcFile, Tile, parse, serialize
from jdcodec.errors import DamagedError, JdcError


@pytest.fixture(scope="module")
def data(tiny_model: Path, make_picture: PictureMaker) -> bytes:
    return jdcodec.encode(make_picture(40, 60), quality=3, model=str(tiny_model))


@pytest.fixture(scope="module")
def pixels(data: bytes, tiny_model: Path) -> NDArray[np.uint8]:
    return jdcodec.decode(data, model=str(tiny_model))


def assert_refused(data: bytes, model: Path) -> None:
    with pytest.raises(JdcError) as caught:
        jdcodec.decode(data, model=str(model))
    assert "\n" not in str(caught.value)


def test_flipped_bits(data: bytes, tiny_model: Path) -> None:
    for bit in np.random.default_rng(0).choice(8 * len(data), 300, replace=False).tolist():
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert_refused(bytes(damaged), tiny_model)


def test_every_truncation(data: bytes, tiny_model: Path) -> None:
    for length in range(len(data)):
        assert_refused(data[:length], tiny_model)


def with_words(file: JdcFile, words: bytes) -> bytes:
    """The file with other entropy-coded words under a right checksum, as a careless editor leaves it."""
    tile = file.tiles[0]
    return serialize(JdcFile(file.header, (Tile(tile.index, tile.symbols_crc, words),), file.metadata))


def test_flipped_words_under_a_right_checksum(
    data: bytes, pixels: NDArray[np.uint8], tiny_model: Path
) -> None:
    """The range coder makes symbols of any words; the checksum of the symbols tells them apart."""
    file = parse(data)
    words = file.tiles[0].data
    refused = 0
    for bit in np.random.default_rng(1).choice(8 * len(words), 60, replace=False).tolist():
        damaged = bytearray(words)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded = jdcodec.decode(with_words(file, bytes(damaged)), model=str(tiny_model))
        except DamagedError:
            refused += 1
        else:  # a bit of the last word that no symbol needs
            np.testing.assert_array_equal(decoded, pixels)
    assert refused > 50


@pytest.mark.parametrize("words", [b"", bytes(4), b"\xff" * 64, bytes(4000)])
def test_other_words_under_a_right_checksum(words: bytes, data: bytes, tiny_model: Path) -> None:
    assert_refused(with_words(parse(data), words), tiny_model)


def test_damage_names_the_tile(data: bytes, tiny_model: Path) -> None:
    file = parse(data)
    flipped = bytearray(file.tiles[0].data)
    flipped[7] ^= 0x10
    for words in (bytes(flipped), b"\xff" * 64, b""):
        with pytest.raises(DamagedError, match=r"^tile 0 is damaged: "):
            jdcodec.decode(with_words(file, words), model=str(tiny_model))
