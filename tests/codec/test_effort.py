"""More effort finds better symbols of the same kind: any decoder reads them, and quality means the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

import jdcodec
from jdcodec.codec.denoised import without_noise
from jdcodec.codec.encoder import DEFAULT_EFFORT, MAX_EFFORT, EncodeSettings, code_photo, encode_photo
from jdcodec.codec.runtime import start_inference
from jdcodec.codec.target import SizeGoal
from jdcodec.codec.weights import find_model, shipped_models
from jdcodec.errors import JdcError
from jdcodec.model.config import quality_to_t, t_to_lambda
from jdcodec.photo import from_array

EFFORTS = range(1, MAX_EFFORT + 1)

shipped = pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")


def scene(height: int, width: int) -> NDArray[np.uint8]:
    """Smooth shapes with edges and some texture, which a codec has to choose from; without noise."""
    rows, columns = np.mgrid[0:height, 0:width] / 32.0
    wave = np.sin(rows + 0.6 * columns) + 0.5 * np.sin(2.3 * columns - rows)
    texture = 0.06 * np.sin(9 * rows) * np.sin(7 * columns + rows)
    planes = [0.45 + 0.2 * wave + 0.15 * (np.sin(1.7 * rows - k) > 0.4) + texture for k in range(3)]
    picture: NDArray[np.uint8] = np.rint(255 * np.stack(planes, axis=2).clip(0, 1)).astype(np.uint8)
    return picture


def cost(data: bytes, picture: NDArray[np.uint8], quality: float, model: str = "fast") -> float:
    """What an encoder is to lower: bits per pixel + lambda · 255² · MSE."""
    decoded = jdcodec.decode(data, dtype="float32", model=None if model == "fast" else model)
    error = float(np.mean((decoded - picture / 255.0) ** 2))
    return 8 * len(data) / picture[..., 0].size + t_to_lambda(quality_to_t(quality)) * 255.0**2 * error


@shipped
@pytest.mark.parametrize("quality", [3, 7])
def test_the_cost_falls_with_the_effort(quality: int) -> None:
    picture = scene(320, 448)
    files = [jdcodec.encode(picture, quality=quality, denoise=0, effort=effort) for effort in (4, 5, 9)]
    usual, once, longest = (cost(data, picture, quality) for data in files)
    assert once < 0.995 * usual
    assert longest < 0.995 * once
    assert len(files[2]) == pytest.approx(len(files[0]), rel=0.08)


@shipped
def test_a_noisy_picture_comes_nearer_to_what_the_denoiser_made_of_it(make_picture: PictureMaker) -> None:
    picture = make_picture(128, 192)
    inference = start_inference(find_model("fast"), 6)
    wanted = without_noise(picture, inference, 1.0)
    usual, longest = (jdcodec.encode(picture, quality=6, effort=effort) for effort in (4, 9))
    assert cost(longest, wanted, 6) < 0.995 * cost(usual, wanted, 6)


@pytest.mark.parametrize("quality", [1, 8])
def test_a_network_of_random_numbers_makes_it_no_worse(
    tiny_model: Path, make_picture: PictureMaker, quality: int
) -> None:
    picture, model = make_picture(128, 192), str(tiny_model)
    files = (
        jdcodec.encode(picture, quality=quality, denoise=0, model=model, effort=effort) for effort in (4, 9)
    )
    usual, longest = (cost(data, picture, quality, model) for data in files)
    assert longest <= 1.001 * usual


def test_every_effort_decodes(tiny_model: Path, make_picture: PictureMaker) -> None:
    picture, model = make_picture(64, 128), str(tiny_model)
    files = [jdcodec.encode(picture, model=model, effort=effort) for effort in EFFORTS]
    for data in files:
        assert jdcodec.decode(data, model=model).shape == picture.shape
    assert len(set(files[:DEFAULT_EFFORT])) == 1, "up to the default there is one way to code"
    assert files[DEFAULT_EFFORT] != files[DEFAULT_EFFORT - 1]
    assert jdcodec.encode(picture, model=model) == files[DEFAULT_EFFORT - 1]


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_the_same_bytes_twice(tiny_model: Path, make_picture: PictureMaker, device: str) -> None:
    photo = from_array(make_picture(96, 160))
    settings = EncodeSettings(model=str(tiny_model), device=device, effort=MAX_EFFORT)
    assert encode_photo(photo, settings) == encode_photo(photo, settings)


@pytest.mark.parametrize("shape", [(1, 1, 3), (37, 70), (65, 130, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_gray_and_16_bits(tiny_model: Path, shape: tuple[int, ...], dtype: type[Any]) -> None:
    image = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype)
    data = jdcodec.encode(image, model=str(tiny_model), effort=MAX_EFFORT)
    decoded = jdcodec.decode(data, model=str(tiny_model))
    assert decoded.shape == (*shape[:2], 3)
    if len(shape) == 2:
        assert (decoded == decoded[..., :1]).all()


@pytest.mark.parametrize("never_above", [False, True])
def test_wanted_sizes(tiny_model: Path, make_picture: PictureMaker, never_above: bool) -> None:
    photo = from_array(make_picture(192, 256))
    settings = EncodeSettings(7, model=str(tiny_model), effort=6)
    wanted = 0.6 * len(encode_photo(photo, settings))
    size = len(code_photo(photo, replace(settings, size=SizeGoal(wanted, never_above))).data)
    assert 0.96 * wanted <= size <= (1 if never_above else 1.02) * wanted


@pytest.mark.parametrize("effort", [0, 10, -1, 2.5, "5"])
def test_efforts_that_there_are_not(effort: Any) -> None:
    with pytest.raises(JdcError, match="effort must be a whole number from 1 to 9"):
        EncodeSettings(effort=effort)


def test_the_picture_aimed_at(tiny_model: Path, make_picture: PictureMaker) -> None:
    inference = start_inference(find_model(str(tiny_model)), 5, precision="fp32")
    picture = make_picture(100, 150)
    assert without_noise(picture, inference, 0) is picture
    padded = np.pad(picture, ((0, 28), (0, 42), (0, 0)), mode="edge")
    whole = inference.denoise(padded, 0.5).transpose(1, 2, 0)[:100, :150].astype(np.float32)
    clean = without_noise(picture, inference, 0.5)
    assert clean.dtype == picture.dtype and (clean != picture).any()
    assert np.abs(clean - 255 * whole.clip(0, 1)).max() <= 0.51
