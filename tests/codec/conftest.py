"""A picture, the same as a photo to be turned, and a small model to code them with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray
from PIL import Image

from tests.photo.samples import exif_block


@pytest.fixture(scope="module")
def picture(make_picture: PictureMaker) -> NDArray[np.uint8]:
    """(200, 300, 3)."""
    return make_picture(200, 300)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> str:
    return str(tiny_model)


@pytest.fixture
def photo(picture: NDArray[np.uint8], tmp_path: Path) -> Path:
    """The picture as a photo taken with the camera held upright: stored lying, to be turned."""
    path = tmp_path / "photo.png"
    Image.fromarray(picture).save(path, exif=exif_block(6))
    return path
