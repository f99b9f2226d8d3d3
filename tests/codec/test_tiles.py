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
from jdcodec.codec.symbols import Symbols, latents_to_symbols, picture_to_latents, symbols_to_picture
from jdcodec.codec.weights import load_weights
from jdcodec.container import TileRect, parse
from jdcodec.errors import JdcError
from jdcodec.inference.interface import Inference
from jdcodec.photo import Photo, from_array


def tiled(model: Path, photo: Photo) -> list[NDArray[Any]]:
    """A photo as it comes back from files with many tiles, a few, and one."""
    pixels = []
    for tile_size, count in ((64, 12), (128, 4), (1024, 1)):
        data = encode_photo(photo, EncodeSettings(model=str(model), tile_size=tile_size))
        assert parse(data).header.tile_count == count
        pixels.append(decode_bytes(data, DecodeSettings(models=(str(model),))).astype(int))
    return pixels


def test_pixels_do_not_depend_on_the_tile_size(scalar_model: Path, make_picture: PictureMaker) -> None:
    pixels = tiled(scalar_model, from_array(make_picture(130, 200)))
    np.testing.assert_array_equal(pixels[0], pixels[2])
    np.testing.assert_array_equal(pixels[1], pixels[2])


def test_pixels_hardly_depend_on_the_lanes_of_tiles(tiny_model: Path, make_picture: PictureMaker) -> None:
    """They differ as two roundings of the same latents do: by less than either does from the picture."""
    photo = from_array(make_picture(130, 200))
    pixels = tiled(tiny_model, photo)
    lost = np.abs(pixels[2] - photo.pixels).mean()
    for found in pixels[:2]:
        assert np.abs(found - pixels[2]).mean() < lost


def test_an_impossible_tile_size(tiny_model: Path) -> None:
    photo = from_array(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(JdcError, match="tile size"):
        encode_photo(photo, EncodeSettings(model=str(tiny_model), tile_size=100))


def test_decoded_symbols_are_those_that_were_encoded(tiny_model: Path, make_picture: PictureMaker) -> None:
    photo = from_array(make_picture(130, 100))
    settings = EncodeSettings(model=str(tiny_model), tile_size=64, precision="fp32", device="cpu", denoise=1)
    weights = load_weights(tiny_model.resolve())
    file = parse(encode_photo(photo, settings))
    inference = start_inference(weights, settings.quality, device="cpu", precision="fp32")
    power = NoisePower()
    y = picture_to_latents(photo.pixels, inference, strength=1, observe=power.add)
    expected, without_noise = (
        latents_to_symbols(
            y,
            inference,
            weights.tables,
            file.header.tiles(),
            quality_step=file.header.quality_code,
            noise=noise,
        )
        for noise in (power.result(), 0.0)
    )
    decoded = decode_symbols(file, weights)
    np.testing.assert_array_equal(decoded.z, expected.z)
    np.testing.assert_array_equal(decoded.y, expected.y)
    assert np.abs(expected.y).sum() < np.abs(without_noise.y).sum()
    assert len(np.unique(expected.z)) > 8 and len(np.unique(expected.y)) > 8


#: Methods of a network that run once for each window.
BY_WINDOW = (
    "denoise",
    "latents",
    "hyperlatents",
    "code_anchors",
    "code_others",
    "reconstruct_latents",
    "picture",
)


def counted(inference: Inference) -> Counter[str]:
    """How often each of `BY_WINDOW` is called from now on."""
    calls: Counter[str] = Counter()

    def counting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return method(*arguments, **options)

        return call

    for name in BY_WINDOW:
        setattr(inference, name, counting(name, getattr(inference, name)))
    return calls


@pytest.fixture(scope="module")
def symbols(make_network: NetworkMaker, make_picture: PictureMaker, tiny_model: Path) -> dict[str, Symbols]:
    """By size of the windows: symbols of a wide picture, and of a tall one, put through the same network."""
    tables = load_weights(tiny_model.resolve()).tables
    inference = start_on_openvino(make_network("fast"), 0.7, units=tables.units)
    calls = counted(inference)
    found = {}
    for shape in ((192, 1000), (1000, 192)):
        picture = make_picture(*shape)
        for name, window_pixels in (("whole", 10**9), ("windows", 70_000)):
            calls.clear()
            y = picture_to_latents(picture, inference, strength=1.0, window_pixels=window_pixels)
            found[f"{name} {shape}"] = latents_to_symbols(
                y,
                inference,
                tables,
                [TileRect(0, 0, 0, 16 * y.shape[2], 16 * y.shape[1])],
                quality_step=157,
                noise=1e-4,
                window_pixels=window_pixels,
            )
            for method in BY_WINDOW[:5]:
                assert calls[method] == 1 if name == "whole" else calls[method] >= 2
    return found


@pytest.mark.parametrize("shape", [(192, 1000), (1000, 192)])
def test_symbols_do_not_depend_on_the_windows(shape: tuple[int, int], symbols: dict[str, Symbols]) -> None:
    whole, windows = symbols[f"whole {shape}"], symbols[f"windows {shape}"]
    # Values at a rounding edge may fall either way where the order of a sum differs.
    assert np.mean(whole.z != windows.z) < 1e-3
    assert np.mean(whole.y != windows.y) < 1e-3


@pytest.mark.parametrize("name", ["fast", "best"])
def test_pixels_do_not_depend_on_the_windows(
    name: str, make_network: NetworkMaker, start: Starter, symbols: dict[str, Symbols]
) -> None:
    inference = start(make_network(name), 0.7)
    calls = counted(inference)
    pixels = {}
    for window_pixels in (10**9, 300 * 256):
        calls.clear()
        pixels[window_pixels] = symbols_to_picture(
            symbols["whole (1000, 192)"], inference, (1000, 190), np.uint8, window_pixels=window_pixels
        ).astype(int)
        for method in ("reconstruct_latents", "picture"):
            assert calls[method] == 1 if window_pixels == 10**9 else calls[method] >= 2
    whole, windows = pixels.values()
    assert np.abs(whole - windows).max() <= 1
    assert np.mean(whole != windows) < 1e-2
