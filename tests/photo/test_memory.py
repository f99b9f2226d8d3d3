"""What transparency and CMYK take beside the pixels: a little, however large the picture is."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jdcodec.photo import from_array
from jdcodec.photo.colour import to_srgb
from jdcodec.photo.images import Raster, undo_premultiplication

from .samples import matrix_profile

HEIGHT, WIDTH = 1500, 2000


def peak_per_pixel(work: Any, *arguments: Any) -> float:
    """Bytes that a call takes at most, what it returns included, by the pixel."""
    tracemalloc.start()
    work(*arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / (HEIGHT * WIDTH)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK"])
def test_a_picture_costs_few_bytes_a_pixel(mode: str) -> None:
    """The samples take up to 4, the result 3."""
    image = Image.new(mode, (WIDTH, HEIGHT), 1)
    assert peak_per_pixel(from_array, image) < 13


@pytest.mark.parametrize(("dtype", "limit"), [(np.uint8, 8), (np.uint16, 11)])
def test_cmyk_costs_its_result_and_little_more(dtype: type, limit: int) -> None:
    inks = np.zeros((HEIGHT, WIDTH, 4), dtype)
    assert peak_per_pixel(to_srgb, inks, None, "CMYK") < limit


def test_a_profile_costs_its_result_and_little_more() -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert peak_per_pixel(to_srgb, pixels, matrix_profile(), "RGB") < 13


def test_premultiplied_colour_costs_its_result_and_little_more() -> None:
    raster = Raster(np.ones((HEIGHT, WIDTH, 4), np.uint16), "RGB", has_alpha=True)
    assert peak_per_pixel(undo_premultiplication, raster) < 13
