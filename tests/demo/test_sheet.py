"""The comparison picture: close looks go to the places worth them, and every version gets its column."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jdcodec.demo.sheet import Column, choose_spots, comparison_sheet


def picture() -> np.ndarray:
    """800 × 600: a smooth ramp, with lettering in the upper left and faint texture in the lower right."""
    ramp = np.linspace(90, 150, 800)[None, :].repeat(600, axis=0)
    ramp[320:580, 480:780] += np.random.default_rng(2).normal(0, 7, (260, 300))
    image = Image.fromarray(ramp.clip(0, 255).astype(np.uint8)).convert("RGB")
    pen = ImageDraw.Draw(image)
    pen.rectangle((20, 20, 300, 220), fill=(235, 235, 230))
    for line in range(12):
        pen.text((30, 26 + 16 * line), "The quick brown fox jumps over the dog", (15, 15, 20))
    return np.asarray(image)


def test_finds_lettering_smoothness_and_texture() -> None:
    edges, smooth, texture = choose_spots(picture())
    assert [edges.name, smooth.name, texture.name] == ["Hard edges", "Smooth", "Texture"]

    def centre(spot: object) -> tuple[float, float]:
        left, top, right, bottom = spot.box  # type: ignore[attr-defined]
        return (left + right) / 2, (top + bottom) / 2

    x, y = centre(edges)
    assert 20 < x < 300 and 20 < y < 220
    x, y = centre(texture)
    assert 480 < x < 780 and 320 < y < 580
    left, top, right, bottom = smooth.box
    assert np.diff(picture()[top:bottom, left:right].astype(int), axis=1).max() <= 1


def test_spots_lie_inside_and_apart() -> None:
    spots = choose_spots(picture())
    for spot in spots:
        left, top, right, bottom = spot.box
        assert 0 <= left < right <= 800
        assert 0 <= top < bottom <= 600
    assert not any(a.overlaps(b) for a in spots for b in spots if a is not b)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (90, 60), (2003, 4001)])
def test_any_size_has_a_sheet(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(60, 190, (*size, 3)).astype(np.uint8)
    spots = choose_spots(pixels)
    assert spots
    for spot in spots:
        assert spot.box[2] <= size[1] and spot.box[3] <= size[0]
    sheet = comparison_sheet([Column("A", "", pixels), Column("B", "1 byte", pixels)], spots)
    assert sheet.width == 2 * (384 + 8) + 8


def test_each_version_is_shown_as_it_is() -> None:
    """A gray, a red and a blue version: each column holds its own colour only."""
    versions = [
        np.full((300, 450, 3), colour, np.uint8) for colour in ((99, 99, 99), (200, 0, 0), (0, 0, 200))
    ]
    spots = choose_spots(versions[0])
    sheet = np.asarray(comparison_sheet([Column(str(i), "", v) for i, v in enumerate(versions)], spots))
    for number, version in enumerate(versions):
        column = sheet[:, 8 + number * 392 : 8 + number * 392 + 384]
        shown = (column == version[0, 0]).all(axis=2)
        # The photo at 384 × 256, and crops of 384 × 288, less the marks on them.
        assert shown.sum() > 0.95 * (384 * 256 + len(spots) * 384 * 288)


def test_crops_are_enlarged_without_interpolation() -> None:
    board = (np.indices((400, 600)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    spots = choose_spots(board)
    sheet = np.asarray(comparison_sheet([Column("board", "", board)], spots))
    crop = sheet[58 + 256 + 26 :, 8 : 8 + 384][:288]
    assert set(np.unique(crop)) == {0, 255}
    assert np.array_equal(crop[::2, ::2], crop[1::2, 1::2])
