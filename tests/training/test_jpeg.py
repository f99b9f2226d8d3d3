"""The JPEG of the noise model loses what a real JPEG loses."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from conftest import PictureMaker
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from jdcodec.training.jpeg import jpeg_round_trip


def through_pillow(picture: NDArray[np.uint8], quality: int) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return as_tensor(np.asarray(Image.open(file)))


def as_tensor(picture: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean()))


@pytest.mark.parametrize("quality", [12, 40, 70, 92])
def test_close_to_pillow(quality: int, make_picture: PictureMaker) -> None:
    picture = make_picture(96, 128)
    ours = jpeg_round_trip(as_tensor(picture), torch.tensor([float(quality)]))
    theirs = through_pillow(picture, quality)
    original = as_tensor(picture)
    # The two differ by far less than either differs from the original, and lose as much.
    assert psnr(ours, theirs) > psnr(ours, original) + 5
    assert psnr(ours, original) == pytest.approx(psnr(theirs, original), abs=0.5)


def test_each_picture_has_its_quality(make_picture: PictureMaker) -> None:
    picture = as_tensor(make_picture(32, 32)).expand(2, -1, -1, -1)
    both = jpeg_round_trip(picture, torch.tensor([20.0, 95.0]))
    torch.testing.assert_close(both[1:], jpeg_round_trip(picture[1:], torch.tensor([95.0])))
    assert psnr(both[1:], picture[1:]) > psnr(both[:1], picture[:1]) + 2


def test_black_and_white_stay() -> None:
    extremes = torch.stack((torch.zeros(3, 16, 16), torch.ones(3, 16, 16)))
    torch.testing.assert_close(
        jpeg_round_trip(extremes, torch.tensor([75.0, 75.0])), extremes, atol=0.01, rtol=0
    )
