"""Tiles cut the file, not the picture: any tile size and any window gives the same symbols and pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import NetworkMaker, PictureMaker

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.symbols import Symbols, picture_to_symbols, symbols_to_picture
from jdcodec.codec.weights import load_weights
from jdcodec.container import parse
from jdcodec.errors import JdcError
from jdcodec.model.inference import Inference
from jdcodec.photo import from_array


def test_pixels_do_not_depend_on_the_tile_size(tiny_model: Path, make_picture: PictureMaker) -> None:
    photo = from_array(make_picture(130, 200))
    pixels = []
    for tile_size, count in ((64, 12), (128, 4), (1024, 1)):
        data = encode_photo(photo, EncodeSettings(model=str(tiny_model), tile_size=tile_size))
        assert parse(data).header.tile_count == count
        pixels.append(decode_bytes(data, DecodeSettings(models=(str(tiny_model),))))
    np.testing.assert_array_equal(pixels[0], pixels[2])
    np.testing.assert_array_equal(pixels[1], pixels[2])


def test_an_impossible_tile_size(tiny_model: Path) -> None:
    photo = from_array(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(JdcError, match="tile size"):
        encode_photo(photo, EncodeSettings(model=str(tiny_model), tile_size=100))


def test_decoded_symbols_are_those_that_were_encoded(tiny_model: Path, make_picture: PictureMaker) -> None:
    photo = from_array(make_picture(130, 100))
    settings = EncodeSettings(model=str(tiny_model), tile_size=64, precision="fp32", device="cpu", denoise=1)
    weights = load_weights(tiny_model.resolve())
    file = parse(encode_photo(photo, settings))
    from jdcodec.codec.runtime import start_inference

    inference = start_inference(weights, settings.quality, device="cpu", precision="fp32")
    expected = picture_to_symbols(
        photo.pixels, inference, weights.tables, strength=1, quality_step=file.header.quality_code
    )
    decoded = decode_symbols(file, weights)
    np.testing.assert_array_equal(decoded.z, expected.z)
    np.testing.assert_array_equal(decoded.y, expected.y)
    assert len(np.unique(expected.z)) > 8 and len(np.unique(expected.y)) > 8


@pytest.fixture(scope="module")
def symbols(make_network: NetworkMaker, make_picture: PictureMaker, tiny_model: Path) -> dict[str, Symbols]:
    """By size of the windows: symbols of a wide picture, and of a tall one, put through the same network."""
    tables = load_weights(tiny_model.resolve()).tables
    import torch

    inference = Inference(make_network("fast"), 0.7, torch.float32)
    found = {}
    for shape in ((192, 1000), (1000, 192)):
        picture = make_picture(*shape)
        for name, window_pixels in (("whole", 10**9), ("windows", 110_000)):
            found[f"{name} {shape}"] = picture_to_symbols(
                picture, inference, tables, strength=1.0, quality_step=157, window_pixels=window_pixels
            )
    return found


@pytest.mark.parametrize("shape", [(192, 1000), (1000, 192)])
def test_symbols_do_not_depend_on_the_windows(shape: tuple[int, int], symbols: dict[str, Symbols]) -> None:
    whole, windows = symbols[f"whole {shape}"], symbols[f"windows {shape}"]
    # Values at a rounding edge may fall either way where the order of a sum differs.
    assert np.mean(whole.z != windows.z) < 1e-3
    assert np.mean(whole.y != windows.y) < 1e-3


def test_windows_of_the_symbols_are_really_several() -> None:
    from jdcodec.codec.windows import cover

    assert len(list(cover(192, 1024, align=64, halo=128, budget=110_000))) >= 3
    assert len(list(cover(12, 64, align=4, halo=8, budget=110_000 // 256))) >= 2


@pytest.mark.parametrize("name", ["fast", "best"])
def test_pixels_do_not_depend_on_the_windows(
    name: str, make_network: NetworkMaker, tiny_model: Path, symbols: dict[str, Symbols]
) -> None:
    import torch

    inference = Inference(make_network(name), 0.7, torch.float32)
    whole, windows = (
        symbols_to_picture(
            symbols["whole (1000, 192)"], inference, (1000, 190), np.uint8, window_pixels=window_pixels
        ).astype(int)
        for window_pixels in (10**9, 400 * 256)
    )
    assert np.abs(whole - windows).max() <= 1
    assert np.mean(whole != windows) < 1e-2
