"""Every truncation and a flip of every byte: an error, or with salvage the right symbols and no others."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.region import Plan, View
from jdcodec.codec.salvage import salvage
from jdcodec.codec.symbols import Symbols
from jdcodec.codec.verify import verify, verify_symbols
from jdcodec.codec.weights import Weights, find_model
from jdcodec.container import Metadata, parse, serialize
from jdcodec.container.contents import JdcFile
from jdcodec.errors import JdcError
from jdcodec.photo import from_array

from .processes import soak_count

TILES = 3

#: Salvage decodes symbols, which takes milliseconds: the usual tests try every fourth place, `make soak` all.
STRIDE = 1 if soak_count(0) else 4


@pytest.fixture(scope="module")
def data(make_picture: PictureMaker, tiny_model: Path) -> bytes:
    """Three tiles in a row, and two sections of metadata before them."""
    options = EncodeSettings(quality=1, model=str(tiny_model), tile_size=64)
    file = parse(encode_photo(from_array(make_picture(64, 64 * TILES)), options))
    return serialize(JdcFile(file.header, file.tiles, Metadata(exif=b"II*\0\x08\0\0\0\0\0", xmp=b"<x/>")))


@pytest.fixture(scope="module")
def right(data: bytes, tiny_model: Path) -> Symbols:
    return decode_symbols(parse(data), find_model(str(tiny_model)))


class Saved:
    """Symbols as `salvage` hands them to the network, which is left out here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
        self._settings = DecodeSettings(models=(str(model),))
        self._symbols: Symbols | None = None
        monkeypatch.setattr("jdcodec.codec.salvage.render", self._render)

    def _render(
        self, symbols: Symbols, plan: Plan, weights: Weights, settings: DecodeSettings
    ) -> NDArray[np.uint8]:
        self._symbols = symbols
        return np.zeros((*plan.pixels.size, 3), np.uint8)

    def tiles_of(self, data: bytes, right: Symbols) -> set[int] | None:
        """The tiles that are saved, each found right and every other one zero; None after an error."""
        try:
            saved = salvage(data, View(), self._settings)
        except JdcError as error:
            assert "\n" not in str(error)
            return None
        assert self._symbols is not None
        for index in range(TILES):
            y, z = (slice(4 * index, 4 * index + 4), slice(index, index + 1))
            expected_y, expected_z = right.y[..., y], right.z[..., z]
            if index in saved.lost:
                expected_y, expected_z = np.zeros_like(expected_y), np.zeros_like(expected_z)
            np.testing.assert_array_equal(self._symbols.y[..., y], expected_y)
            np.testing.assert_array_equal(self._symbols.z[..., z], expected_z)
        assert saved.damage
        return set(range(TILES)) - set(saved.lost)


def assert_refused(data: bytes) -> None:
    with pytest.raises(JdcError):
        parse(data)
    with contextlib.suppress(JdcError):
        assert not verify(data).intact


def flipped(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def test_flips(data: bytes, right: Symbols, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flip in a tile costs just that tile, in the header perhaps the file, elsewhere nothing."""
    saved = Saved(monkeypatch, tiny_model)
    random = np.random.default_rng(0)
    end_of_header, first_tile, end_of_tiles = 62, data.index(b"Tile"), data.rindex(b"Tend")
    for place in range(len(data)):
        flips = [flipped(data, place, bit) for bit in range(8)]
        for damaged in flips:
            assert_refused(damaged)
        if place % STRIDE:
            continue
        tiles = saved.tiles_of(flips[random.integers(8)], right)
        if place < end_of_header:
            assert tiles is None or tiles == {0, 1, 2}
        elif first_tile <= place < end_of_tiles:
            assert tiles is not None and len(tiles) == TILES - 1
        else:
            assert tiles == {0, 1, 2}


def test_truncations(data: bytes, right: Symbols, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Saved(monkeypatch, tiny_model)
    before = set()
    for length in range(len(data)):
        assert_refused(data[:length])
        if (len(data) - 1 - length) % STRIDE:
            continue
        tiles = saved.tiles_of(data[:length], right) or set()
        assert tiles >= before
        before = tiles
    assert before == {0, 1, 2}


def test_verify_symbols_needs_no_network(data: bytes, tiny_model: Path) -> None:
    verdict = verify_symbols(data, models=(str(tiny_model),))
    assert verdict.intact and verdict.tile_count == TILES and str(verdict) == ""
