"""How large a picture may be is the caller's to say, on every way in and out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PictureMaker

import jdcodec

Limits = dict[str, int]

SMALLER = {"max_pixels": 29 * 40}
NARROWER = {"max_side": 39}
LARGER = {"max_side": 40, "max_pixels": 30 * 40}


@pytest.fixture(scope="module")
def data(tiny_model: Path, make_picture: PictureMaker) -> bytes:
    return jdcodec.encode(make_picture(30, 40), model=str(tiny_model))


READERS = [
    jdcodec.decode,
    jdcodec.read,
    lambda data, **options: jdcodec.read(data, salvage=True, **options),
    lambda data, **options: jdcodec.decode(data, region=(0, 0, 8, 8), **options),
    lambda data, **options: jdcodec.verify(data, symbols=True, **options),
]


@pytest.mark.parametrize("limits", [SMALLER, NARROWER])
@pytest.mark.parametrize("reader", READERS)
def test_files_beyond_them(data: bytes, tiny_model: Path, reader: Callable[..., Any], limits: Limits) -> None:
    with pytest.raises(jdcodec.JdcError, match="30 pixels is beyond the limit of"):
        reader(data, model=str(tiny_model), **limits)
    reader(data, model=str(tiny_model), **LARGER)


@pytest.mark.parametrize("limits", [SMALLER, NARROWER])
def test_facts_of_files_beyond_them(data: bytes, limits: Limits) -> None:
    for function in (jdcodec.info, jdcodec.verify):
        with pytest.raises(jdcodec.JdcError, match="30 pixels is beyond the limit of"):
            function(data, **limits)  # type: ignore[operator]
        assert function(data, **LARGER)  # type: ignore[operator]


@pytest.mark.parametrize("limits", [SMALLER, NARROWER])
def test_images_beyond_them(tiny_model: Path, make_picture: PictureMaker, limits: Limits) -> None:
    with pytest.raises(jdcodec.JdcError, match="the limit is"):
        jdcodec.encode(make_picture(30, 40), model=str(tiny_model), **limits)


def test_they_can_be_raised(tiny_model: Path) -> None:
    """A picture one pixel wide and longer than the usual limit of a side."""
    strip = np.full((1, 65_600, 3), 90, np.uint8)
    with pytest.raises(jdcodec.JdcError, match="the limit is 65535 pixels a side"):
        jdcodec.encode(strip, model=str(tiny_model))
    data = jdcodec.encode(strip, model=str(tiny_model), max_side=70_000)
    with pytest.raises(jdcodec.JdcError, match="beyond the limit of 65,535 pixels a side"):
        jdcodec.info(data)
    assert jdcodec.info(data, max_side=70_000).width == 65_600
    assert jdcodec.decode(data, model=str(tiny_model), max_side=70_000, scale=16).shape == (1, 4_100, 3)


@pytest.mark.parametrize("name", ["max_side", "max_pixels"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "many", b"1"])
def test_they_are_whole_numbers(data: bytes, name: str, value: Any) -> None:
    with pytest.raises(jdcodec.JdcError, match=f"{name} must be a whole number"):
        jdcodec.info(data, **{name: value})
