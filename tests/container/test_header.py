"""The header's ranges, its real-valued settings and the grid of tiles."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from jdcodec.container import Header, Limits, TileRect
from jdcodec.container.header import check_limits
from jdcodec.errors import FormatError, LimitError

from . import samples

HEADER = samples.SMALL_HEADER


def with_settings(quality: float = 4.0, denoise: float = 1.0) -> Header:
    return Header.from_settings(
        model_id=samples.MODEL_ID,
        quality=quality,
        denoise=denoise,
        gray=False,
        bit_depth=8,
        width=8,
        height=8,
    )


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("model_id", bytes(15), "model id has 15 bytes"),
        ("quality_code", -1, "quality code -1 is outside 0…224"),
        ("quality_code", 225, "quality code 225 is outside 0…224"),
        ("denoise_percent", 101, "denoise strength in percent 101 is outside 0…100"),
        ("bit_depth", 12, "bit depth 12 is neither 8 nor 16"),
        ("width", 0, "display width 0 is outside"),
        ("height", -5, "display height -5 is outside"),
        ("width", 2**32 - 63, "display width 4294967233 is outside"),
        ("tile_size", 0, "tile size 0 is outside 64…4096"),
        ("tile_size", 4160, "tile size 4160 is outside 64…4096"),
        ("tile_size", 100, "tile size 100 is not a multiple of 64"),
    ],
)
def test_field_outside_its_range_is_refused(field: str, value: int | bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        replace(HEADER, **{field: value})


def test_more_tiles_than_an_index_can_count_are_refused() -> None:
    with pytest.raises(FormatError, match="more than a 32-bit index can count"):
        replace(HEADER, width=2**32 - 64, height=2**32 - 64)


@pytest.mark.parametrize("code", range(225))
def test_every_quality_code_is_a_quality(code: int) -> None:
    header = replace(HEADER, quality_code=code)
    assert header.quality == 1 + code / 32
    assert with_settings(quality=header.quality).quality_code == code


@pytest.mark.parametrize("percent", range(101))
def test_every_denoise_percent_is_a_strength(percent: int) -> None:
    header = replace(HEADER, denoise_percent=percent)
    assert with_settings(denoise=header.denoise).denoise_percent == percent


def test_settings_between_two_steps_are_rounded_to_the_nearer() -> None:
    header = with_settings(quality=4.02, denoise=0.333)
    assert header.quality == 4.03125
    assert header.denoise == 0.33


@pytest.mark.parametrize("quality", [0.99, 8.01, math.nan, math.inf])
def test_quality_outside_the_scale_is_refused(quality: float) -> None:
    with pytest.raises(FormatError, match="quality"):
        with_settings(quality=quality)


@pytest.mark.parametrize("denoise", [-0.01, 1.01, math.nan])
def test_denoise_outside_the_scale_is_refused(denoise: float) -> None:
    with pytest.raises(FormatError, match="denoise strength"):
        with_settings(denoise=denoise)


def test_coded_size_is_the_display_size_rounded_up() -> None:
    sizes = {1: 64, 63: 64, 64: 64, 65: 128, 65_535: 65_536}
    for display, coded in sizes.items():
        header = replace(HEADER, width=display, height=display)
        assert (header.coded_width, header.coded_height) == (coded, coded)


def test_last_column_and_row_of_tiles_are_cropped() -> None:
    header = replace(HEADER, width=200, height=129, tile_size=128)
    assert list(header.tiles()) == [
        TileRect(index=0, x=0, y=0, width=128, height=128),
        TileRect(index=1, x=128, y=0, width=128, height=128),
        TileRect(index=2, x=0, y=128, width=128, height=64),
        TileRect(index=3, x=128, y=128, width=128, height=64),
    ]


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 640), (1000, 700)])
@pytest.mark.parametrize("tile_size", [64, 192, 4096])
def test_tiles_cover_the_coded_size_once(size: tuple[int, int], tile_size: int) -> None:
    header = replace(HEADER, width=size[0], height=size[1], tile_size=tile_size)
    blocks = [
        (x, y)
        for rect in header.tiles()
        for y in range(rect.y, rect.y + rect.height, 64)
        for x in range(rect.x, rect.x + rect.width, 64)
    ]
    expected = {(x, y) for y in range(0, header.coded_height, 64) for x in range(0, header.coded_width, 64)}
    assert len(blocks) == len(expected)
    assert set(blocks) == expected
    assert header.tile_count == len(list(header.tiles()))


def test_limits_hold_at_their_edge_and_not_beyond() -> None:
    limits = Limits(max_side=100, max_pixels=5000)
    check_limits(replace(HEADER, width=100, height=50), limits)
    with pytest.raises(LimitError, match="101 × 1 pixels is beyond the limit of 100 pixels a side"):
        check_limits(replace(HEADER, width=101, height=1), limits)
    with pytest.raises(LimitError, match="100 × 51 pixels is beyond the limit of 5,000 pixels"):
        check_limits(replace(HEADER, width=100, height=51), limits)


def test_default_limits_are_those_of_the_format() -> None:
    check_limits(replace(HEADER, width=65_535, height=6_103), Limits())
    with pytest.raises(LimitError, match="65,535 pixels a side"):
        check_limits(replace(HEADER, width=65_536, height=1), Limits())
    with pytest.raises(LimitError, match="400,000,000 pixels"):
        check_limits(replace(HEADER, width=20_001, height=20_000), Limits())
