"""Tiles cut the file, not the picture: pixels do not depend on windows, and hardly on tiles.

Only dependent quantisation depends on the tiles, as each has lanes of its own; symbols that are rounded one
by one do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import NetworkMaker, PictureMaker, Starter, start_on_openvino
from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.noise import NoisePower
from jdcodec.codec.runtime import start_inference
from jdcodec.codec.symbols import (
    Symbols,
    latents_to_picture,
    latents_to_symbols,
    picture_to_latents,
    symbols_to_picture,
)
from jdcodec.codec.weights import load_weights
from jdcodec.container import Header, TileRect, parse
from jdcodec.entropy import EntropyTables
from jdcodec.errors import JdcError
from jdcodec.inference.interface import Inference
from jdcodec.photo import from_array

#: Sizes of tiles, and how many of them a picture of 130 × 200 pixels has.
TILE_SIZES = ((64, 12), (128, 4), (1024, 1))

SETTINGS = {"precision": "fp32", "device": "cpu"}


def of_each_tile_size(model: Path, picture: NDArray[np.uint8]) -> list[bytes]:
    photo, files = from_array(picture), []
    for tile_size, count in TILE_SIZES:
        files.append(encode_photo(photo, EncodeSettings(model=str(model), tile_size=tile_size, **SETTINGS)))
        assert parse(files[-1]).header.tile_count == count
    return files


def decoded(data: bytes, model: Path) -> NDArray[np.uint8]:
    pixels: NDArray[np.uint8] = decode_bytes(data, DecodeSettings(models=(str(model),), **SETTINGS))
    return pixels


def test_pixels_do_not_depend_on_the_tile_size(scalar_model: Path, make_picture: PictureMaker) -> None:
    """Where each latent is rounded alone."""
    pixels = [decoded(data, scalar_model) for data in of_each_tile_size(scalar_model, make_picture(130, 200))]
    np.testing.assert_array_equal(pixels[0], pixels[2])
    np.testing.assert_array_equal(pixels[1], pixels[2])


def test_with_dependent_quantisation_the_tile_size_changes_little(
    tiny_model: Path, make_picture: PictureMaker
) -> None:
    """Each tile has lanes of its own, so that its latents take another path through the states.

    They aim at the same: hyperlatents do not differ, nor does at the anchors what is rounded alone (elsewhere
    means differ with the anchors). So all sizes lose about as much against latents that are not rounded, and
    pixels of two sizes are nearer to each other than if their errors had nothing in common.
    """
    picture, weights = make_picture(130, 200), load_weights(tiny_model.resolve())
    inference = start_inference(weights, EncodeSettings().quality, **SETTINGS)
    y = picture_to_latents(picture, inference, strength=1)
    ideal = latents_to_picture(y, inference, picture.shape[:2], np.uint8).astype(int)
    files = of_each_tile_size(tiny_model, picture)
    found = [decode_symbols(parse(data), weights) for data in files]
    pixels = [decoded(data, tiny_model).astype(int) for data in files]
    lost = [np.square(each - ideal).mean() for each in pixels]
    levels = weights.tables.scale_indices(found[2].z, parse(files[2]).header.quality_code)
    anchor = np.add.outer(np.arange(levels.shape[1]), np.arange(levels.shape[2])) % 2 == 0
    alone = (levels < weights.tables.trellis_level) & anchor
    for one, other in ((0, 1), (0, 2), (1, 2)):
        np.testing.assert_array_equal(found[one].z, found[other].z)
        np.testing.assert_array_equal(found[one].y[alone], found[other].y[alone])
        assert np.count_nonzero(found[one].y != found[other].y) > 100, "a test that could not fail"
        assert lost[one] == pytest.approx(lost[other], rel=0.1)
        assert np.square(pixels[one] - pixels[other]).mean() < lost[one] + lost[other]


def test_an_impossible_tile_size(tiny_model: Path) -> None:
    photo = from_array(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(JdcError, match="tile size"):
        encode_photo(photo, EncodeSettings(model=str(tiny_model), tile_size=100))


@pytest.mark.parametrize("tile_size", [64, 128, 1024])
@pytest.mark.parametrize("kind", ["tiny_model", "scalar_model"])
def test_decoded_symbols_are_those_that_were_encoded(
    tile_size: int, kind: str, make_picture: PictureMaker, request: pytest.FixtureRequest
) -> None:
    model: Path = request.getfixturevalue(kind)
    photo = from_array(make_picture(130, 100))
    settings = EncodeSettings(model=str(model), tile_size=tile_size, denoise=1, **SETTINGS)
    weights = load_weights(model.resolve())
    file = parse(encode_photo(photo, settings))
    inference = start_inference(weights, settings.quality, **SETTINGS)
    power = NoisePower()
    y = picture_to_latents(photo.pixels, inference, strength=1, observe=power.add)
    step, tiles = file.header.quality_code, list(file.header.tiles())
    expected, without_noise = (
        latents_to_symbols(y, inference, weights.tables, tiles, quality_step=step, noise=noise, denoise=1.0)
        for noise in (power.result(), 0.0)
    )
    decoded = decode_symbols(file, weights)
    np.testing.assert_array_equal(decoded.z, expected.z)
    np.testing.assert_array_equal(decoded.y, expected.y)
    assert sorted(expected.layouts) == [tile.index for tile in tiles]
    assert np.abs(expected.y).sum() < np.abs(without_noise.y).sum()
    assert len(np.unique(expected.z)) > 8 and len(np.unique(expected.y)) > 8


#: Methods of a network that run once for each window, when encoding and when decoding.
ENCODING = ("denoise", "latents", "hyperlatents", "anchor_means", "other_means")
DECODING = ("reconstruct_latents", "picture")


def counted(inference: Inference) -> Counter[str]:
    """How often each of them is called from now on."""
    calls: Counter[str] = Counter()

    def counting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return method(*arguments, **options)

        return call

    for name in ENCODING + DECODING:
        setattr(inference, name, counting(name, getattr(inference, name)))
    return calls


@pytest.fixture(scope="module", params=["tiny_model", "scalar_model"])
def tables(request: pytest.FixtureRequest) -> EntropyTables:
    """With dependent quantisation, and without."""
    model: Path = request.getfixturevalue(request.param)
    return load_weights(model.resolve()).tables


@pytest.fixture(scope="module")
def symbols(
    make_network: NetworkMaker, make_picture: PictureMaker, tables: EntropyTables
) -> dict[str, Symbols]:
    """By size of the windows: symbols of a wide picture, and of a tall one, put through the same network."""
    inference = start_on_openvino(make_network("fast"), 0.7, units=tables.units)
    calls = counted(inference)
    found = {}
    for shape in ((192, 1000), (1000, 192)):
        picture = make_picture(*shape)
        tiles = tiles_of(shape)
        for name, window_pixels in (("whole", 10**9), ("windows", 70_000)):
            calls.clear()
            y = picture_to_latents(picture, inference, strength=1.0, window_pixels=window_pixels)
            found[f"{name} {shape}"] = latents_to_symbols(
                y,
                inference,
                tables,
                tiles,
                quality_step=157,
                noise=1e-4,
                denoise=1.0,
                window_pixels=window_pixels,
            )
            for method in ENCODING:
                assert calls[method] == 1 if name == "whole" else calls[method] >= 2
    return found


def tiles_of(shape: tuple[int, int]) -> list[TileRect]:
    """Several tiles, whose borders are not those of the windows."""
    header = Header.from_settings(
        model_id=bytes(16),
        quality=6,
        denoise=1.0,
        gray=False,
        bit_depth=8,
        width=shape[1],
        height=shape[0],
        tile_size=512,
    )
    return list(header.tiles())


@pytest.mark.parametrize("shape", [(192, 1000), (1000, 192)])
def test_symbols_do_not_depend_on_the_windows(shape: tuple[int, int], symbols: dict[str, Symbols]) -> None:
    whole, windows = symbols[f"whole {shape}"], symbols[f"windows {shape}"]
    # Values at a rounding edge may fall either way where the order of a sum differs.
    assert np.mean(whole.z != windows.z) < 1e-3
    assert np.mean(whole.y != windows.y) < 1e-3


@pytest.mark.parametrize("name", ["fast", "best"])
def test_pixels_do_not_depend_on_the_windows(
    name: str,
    make_network: NetworkMaker,
    start: Starter,
    tables: EntropyTables,
    symbols: dict[str, Symbols],
) -> None:
    inference = start(make_network(name), 0.7, units=tables.units)
    calls = counted(inference)
    pixels = {}
    for window_pixels in (10**9, 300 * 256):
        calls.clear()
        pixels[window_pixels] = symbols_to_picture(
            symbols["whole (1000, 192)"], inference, (1000, 190), np.uint8, window_pixels=window_pixels
        ).astype(int)
        for method in DECODING:
            assert calls[method] == 1 if window_pixels == 10**9 else calls[method] >= 2
    whole, windows = pixels.values()
    assert np.abs(whole - windows).max() <= 1
    assert np.mean(whole != windows) < 1e-2
