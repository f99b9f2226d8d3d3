"""A reduced picture is the box-reduced linear part of the picture, whole or of a region."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker

from jdcodec.codec.region import SCALES, Region, View, decode_view
from jdcodec.codec.weights import load_weights, save_weights
from jdcodec.errors import JdcError

from .conftest import HEIGHT, WIDTH, Coded, code

REDUCED = SCALES[1:]


def shrunk(picture: np.ndarray, scale: int) -> np.ndarray:
    """Means over whole boxes of scale × scale pixels, (h, w, 3)."""
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    boxes = picture[: height * scale, : width * scale].reshape(height, scale, width, scale, 3)
    return np.asarray(boxes.mean(axis=(1, 3)))


@pytest.mark.parametrize("scale", REDUCED)
def test_size_is_rounded_up(coded: Coded, scale: int) -> None:
    preview = decode_view(coded.reader(), View(scale=scale), coded.settings)
    assert preview.shape == (math.ceil(HEIGHT / scale), math.ceil(WIDTH / scale), 3)
    assert preview.dtype == np.uint8


@pytest.fixture(scope="module")
def linear(make_picture: PictureMaker, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Coded:
    """A file whose model has nothing but its linear transform for synthesis."""
    weights = load_weights(tiny_model)
    silenced = {f"synthesis.head.mix.{part}" for part in ("weight", "bias")}
    network = {name: 0 * array if name in silenced else array for name, array in weights.network.items()}
    path = tmp_path_factory.mktemp("weights") / "linear.safetensors"
    save_weights(path, weights.config, network, weights.tables)
    return code(make_picture(HEIGHT, WIDTH), path, quality=6.0)


@pytest.mark.parametrize("scale", REDUCED)
def test_is_the_reduced_linear_part(coded: Coded, linear: Coded, scale: int) -> None:
    """With the network's part of synthesis silenced, the whole picture reduces to just the preview."""
    whole = linear.whole
    preview = decode_view(linear.reader(), View(scale=scale), linear.settings)
    reduced = shrunk(whole, scale)
    assert (whole != coded.whole).mean() > 0.1  # the network had a part in it
    apart = np.abs(preview[: reduced.shape[0], : reduced.shape[1]] - reduced)
    # The whole picture is clamped before it is reduced, the preview after it.
    unclamped = shrunk((whole > 0) & (whole < 255), scale) == 1
    assert unclamped.mean() > 0.5
    assert apart[unclamped].max() <= 1


@pytest.mark.parametrize("scale", REDUCED)
def test_of_a_region_is_the_crop_of_the_preview(coded: Coded, scale: int) -> None:
    whole = decode_view(coded.reader(), View(scale=scale), coded.settings).astype(int)
    for region in (Region(256, 256, 64, 64), Region(3, 333, 301, 7), Region(WIDTH - 1, HEIGHT - 1, 1, 1)):
        part = decode_view(coded.reader(), View(region, scale), coded.settings)
        rows = slice(region.y // scale, math.ceil((region.y + region.height) / scale))
        columns = slice(region.x // scale, math.ceil((region.x + region.width) / scale))
        assert part.shape == whole[rows, columns].shape
        assert np.abs(part - whole[rows, columns]).max() <= 1


def test_needs_the_reach_of_means(coded: Coded, monkeypatch: pytest.MonkeyPatch) -> None:
    region = Region(256, 256, 64, 64)
    whole = decode_view(coded.reader(), View(scale=2), coded.settings)[128:160, 128:160].astype(int)
    monkeypatch.setattr("jdcodec.inference.halo.MEAN_HALO", 0)
    part = decode_view(coded.reader(), View(region, 2), coded.settings)
    assert np.abs(part - whole).max() > 1


def test_takes_the_tiles_that_means_need(coded: Coded) -> None:
    """Without the reach of synthesis a preview needs fewer tiles than its region in full."""
    reader = coded.reader()
    decode_view(reader, View(Region(64, 64, 64, 64), scale=8), coded.settings)
    assert reader.tiles_read == [0]
    decode_view(reader, View(Region(64, 64, 64, 64)), coded.settings)
    assert reader.tiles_read == [0, 0, 1, 3, 4]


def test_gray_has_no_tint(make_picture: PictureMaker, tiny_model: Path) -> None:
    coded = code(make_picture(100, 90)[..., 0], tiny_model)
    preview = decode_view(coded.reader(), View(scale=4), coded.settings)
    assert preview.shape == (25, 23, 3)
    assert (preview == preview[..., :1]).all()


@pytest.mark.parametrize("scale", [0, 3, -8, 32])
def test_other_scales_are_refused(scale: int) -> None:
    with pytest.raises(JdcError, match="scale must be one of 1, 2, 4, 8, 16"):
        View(scale=scale)


def test_leaves_synthesis_out(coded: Coded, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("the synthesis network ran")

    monkeypatch.setattr("jdcodec.inference.on_openvino.OpenVinoInference.picture", refuse)
    decode_view(coded.reader(), View(scale=8), coded.settings)
