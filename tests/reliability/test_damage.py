"""Every truncation and a flip of every byte: an error, or with salvage the right symbols and no others."""

from __future__ import annotations

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.region import Plan, View, decode_view
from jdcodec.codec.salvage import salvage
from jdcodec.codec.symbols import Symbols
from jdcodec.codec.verify import verify, verify_symbols
from jdcodec.codec.weights import Weights, find_model
from jdcodec.container import Metadata, Reader, parse, serialize
from jdcodec.container.contents import JdcFile
from jdcodec.container.grain import Grain, pack_grain
from jdcodec.errors import JdcError
from jdcodec.photo import from_array

from .processes import soak_count

TILES = 3

#: Salvage decodes symbols, which takes milliseconds: the usual tests try every fourth place, `make soak` all.
STRIDE = 1 if soak_count(0) else 4

GRAIN = Grain(
    9, ((60,) * 8, (30,) * 8, (20,) * 8), (5, -6, 7), (50, 255, 200, 80, 20), (10, 255, 200, 80, 20)
)


@pytest.fixture(scope="module")
def data(make_picture: PictureMaker, tiny_model: Path) -> bytes:
    """Three tiles in a row, and three sections of metadata before them, one of them grain."""
    options = EncodeSettings(quality=1, model=str(tiny_model), tile_size=64)
    file = parse(encode_photo(from_array(make_picture(64, 64 * TILES)), options))
    metadata = Metadata(exif=b"II*\0\x08\0\0\0\0\0", xmp=b"<x/>", grain=pack_grain(GRAIN))
    return serialize(JdcFile(file.header, file.tiles, metadata))


@pytest.fixture(scope="module")
def right(data: bytes, tiny_model: Path) -> Symbols:
    return decode_symbols(parse(data), find_model(str(tiny_model)))


class Saved:
    """Symbols as `salvage` hands them to the network, which is left out here."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
        self._settings = DecodeSettings(models=(str(model),), grain=1.0)
        self._symbols: Symbols | None = None
        monkeypatch.setattr("jdcodec.codec.salvage.render", self._render)

    def _render(
        self, symbols: Symbols, plan: Plan, weights: Weights, settings: DecodeSettings, grain: Grain | None
    ) -> NDArray[np.uint8]:
        # Grain is left out where it is damaged, and is never another one.
        assert grain in (None, GRAIN)
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


class TestGrainSection:
    """Damage within it: never other pixels than the right ones, whether grain is wanted or not."""

    @pytest.fixture
    def settings(self, tiny_model: Path) -> DecodeSettings:
        return DecodeSettings(models=(str(tiny_model),), device="cpu", precision="fp32")

    @pytest.fixture
    def place(self, data: bytes) -> range:
        """The bytes of the section, from its type to its checksum."""
        start = data.index(b"grai")
        return range(start, start + 12 + len(pack_grain(GRAIN)))

    def test_flips_and_cuts_are_refused_with_and_without_grain(
        self, data: bytes, settings: DecodeSettings, place: range
    ) -> None:
        damaged = [flipped(data, index, bit) for index in place for bit in range(8)]
        damaged += [data[:index] for index in place]
        # A section left out or moved is one that the file does not have, or a cut.
        damaged += [data[: place.start] + data[index:] for index in place[1:]]
        for grain in (0.0, 1.0):
            wanted = replace(settings, grain=grain)
            for bad in damaged:
                with pytest.raises(JdcError):
                    decode_bytes(bad, wanted)
                with pytest.raises(JdcError):
                    decode_view(Reader(io.BytesIO(bad)), View(scale=16), wanted)

    def test_salvage_leaves_a_damaged_one_out(
        self, data: bytes, settings: DecodeSettings, place: range
    ) -> None:
        """Pixels are then those of the file without grain."""
        plain, grained = (decode_bytes(data, replace(settings, grain=grain)) for grain in (0.0, 1.0))
        assert (plain != grained).any()
        for index in place[:: 7 if STRIDE > 1 else 1]:
            saved = salvage(flipped(data, index, index % 8), View(), replace(settings, grain=1.0))
            assert saved.damage and not saved.lost
            np.testing.assert_allclose(saved.pixels.astype(int), plain, atol=1)
        np.testing.assert_allclose(
            salvage(data, View(), replace(settings, grain=1.0)).pixels.astype(int), grained, atol=2
        )
