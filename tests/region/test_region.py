"""A region is the crop of the whole picture, and takes no more tiles than it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker

from jdcodec.codec.region import Region, View, decode_view
from jdcodec.codec.weights import find_model_by_id
from jdcodec.errors import JdcError
from jdcodec.inference.halo import MEAN_HALO, synthesis_halo

from .conftest import HEIGHT, TILE, WIDTH, Coded, code

REGIONS = {
    "a pixel": Region(300, 300, 1, 1),
    "the upper left corner": Region(0, 0, 40, 30),
    "the lower right corner": Region(WIDTH - 33, HEIGHT - 17, 33, 17),
    "across four tiles": Region(250, 250, 13, 12),
    "at a tile's border": Region(256, 192, 64, 64),
    "a row": Region(0, 511, WIDTH, 1),
    "a column": Region(512, 0, 1, HEIGHT),
    "all": Region(0, 0, WIDTH, HEIGHT),
}


def levels_apart(coded: Coded, region: Region) -> int:
    """The largest difference between the region and the crop of the whole."""
    part = decode_view(coded.reader(), View(region), coded.settings).astype(int)
    rows = slice(region.y, region.y + region.height)
    crop = coded.whole[rows, region.x : region.x + region.width]
    assert part.shape == crop.shape
    return int(np.abs(part - crop).max())


@pytest.mark.parametrize("region", REGIONS.values(), ids=REGIONS.keys())
def test_equals_the_crop_of_the_whole(coded: Coded, region: Region) -> None:
    assert levels_apart(coded, region) <= 1


def test_needs_the_reach_of_synthesis(coded: Coded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the same comparison fails: the network at hand does look that far."""
    monkeypatch.setattr("jdcodec.inference.halo.synthesis_halo", lambda config: 0)
    assert levels_apart(coded, Region(256, 256, 64, 64)) > 1


def test_takes_only_the_tiles_around_it(coded: Coded) -> None:
    for region, tiles in (
        (Region(0, 0, 16, 16), [0]),
        (Region(31, 31, 1, 1), [0]),
        (Region(700, 0, 1, 1), [1, 2]),
        (Region(255, 0, 2, 2), [0, 1]),
        (Region(0, 640, 10, 10), [3, 6]),
        (Region(350, 350, 64, 64), [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    ):
        reader = coded.reader()
        decode_view(reader, View(region), coded.settings)
        assert reader.tiles_read == tiles, region


def test_reach_is_that_of_means_and_synthesis(coded: Coded) -> None:
    """One pixel further, and the tile beyond the border is read too."""
    weights = find_model_by_id(coded.reader().header.model_id, coded.settings.models)
    border = TILE - 16 * (MEAN_HALO + synthesis_halo(weights.config))
    for x, tiles in ((border - 1, [0]), (border, [0, 1])):
        reader = coded.reader()
        decode_view(reader, View(Region(x, 0, 1, 1)), coded.settings)
        assert reader.tiles_read == tiles


def test_other_depths_and_gray(make_picture: PictureMaker, tiny_model: Path) -> None:
    gray = make_picture(300, 280)[..., 0]
    for dtype, level in (("uint16", 257), ("float32", 1 / 255)):
        coded = code(gray, tiny_model, dtype)
        part = decode_view(coded.reader(), View(Region(100, 120, 90, 80)), coded.settings)
        crop = coded.whole[120:200, 100:190]
        assert part.dtype == crop.dtype
        assert np.abs(part.astype(float) - crop).max() <= level
        assert (part == part[..., :1]).all()


@pytest.mark.parametrize(
    "region", [Region(WIDTH, 0, 1, 1), Region(0, 600, 10, 51), Region(10**9, 0, 10**9, 1)]
)
def test_beyond_the_picture_is_refused(coded: Coded, region: Region) -> None:
    with pytest.raises(JdcError, match="reaches beyond the picture of 701 × 650"):
        decode_view(coded.reader(), View(region), coded.settings)


def test_parse() -> None:
    assert Region.parse("1,2,3,4") == Region(1, 2, 3, 4)
    assert Region.parse(" 0, 0, 10, 20 ") == Region(0, 0, 10, 20)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "a,b,c,d",
        "1.5,0,2,2",
        "-1,0,2,2",
        "0,0,0,5",
        "0,0,5,0",
        "²,0,1,1",
        "9" * 5000,
    ],
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(JdcError, match="region"):
        Region.parse(text)
