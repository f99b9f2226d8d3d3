"""`denoise="auto"`: the strength follows what the denoiser finds in flat places."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jdcodec.codec.encoder import EncodeSettings
from jdcodec.codec.noise import auto_strength, noise_level
from jdcodec.errors import JdcError


def scene(height: int = 256, width: int = 320) -> NDArray[np.float64]:
    """A gradient from 0.2 to 0.8, its right half with a strong pattern."""
    picture = np.repeat(np.linspace(0.2, 0.8, width)[None, :, None], height, axis=0).repeat(3, axis=2)
    picture[:, width // 2 :] += 0.15 * np.sign(np.sin(np.arange(height)))[:, None, None]
    return picture


def planes(pixels: NDArray[np.floating[Any]]) -> NDArray[np.float16]:
    """(h, w, 3) to what a denoiser returns."""
    return pixels.transpose(2, 0, 1).astype(np.float16)


def knows(clean: NDArray[np.float64], noisy: NDArray[np.uint8]) -> Any:
    """A denoiser that finds the noise of just this picture, wherever a window of it lies."""
    places = {noisy[y : y + 8, x : x + 8].tobytes(): (y, x) for y, x in np.ndindex(noisy.shape[:2])}

    def denoise(pixels: NDArray[np.uint8], strength: float) -> NDArray[np.float16]:
        top, left = places[pixels[:8, :8].tobytes()]
        part = clean[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        return planes(strength * part + (1 - strength) * pixels / 255)

    return SimpleNamespace(denoise=denoise)


def noisy(clean: NDArray[np.float64], sigma: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(0, sigma, clean.shape)
    return np.rint((255 * clean + noise).clip(0, 255)).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 8.0])
def test_noise_is_measured_in_levels(sigma: float) -> None:
    clean = scene()
    picture = noisy(clean, sigma)
    assert noise_level(picture, knows(clean, picture)) == pytest.approx(sigma, rel=0.1)
    assert auto_strength(picture, knows(clean, picture)) == 1.0


@pytest.mark.parametrize(("sigma", "strength"), [(0.5, 0.0), (0.9, 1.0)])
def test_what_counts_as_clean(sigma: float, strength: float) -> None:
    def denoise(pixels: NDArray[np.uint8], strength: float) -> NDArray[np.float16]:
        signs = (-1.0) ** np.arange(pixels.shape[1])
        return planes((pixels - strength * sigma * signs[:, None]) / 255)

    finds: Any = SimpleNamespace(denoise=denoise)
    picture = noisy(scene(), 0.0)
    # The two pictures are in half precision, whose own noise comes on top.
    assert noise_level(picture, finds) == pytest.approx(sigma, abs=0.02)
    assert auto_strength(picture, finds) == strength


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 300, 3), (9, 9, 3)])
@pytest.mark.parametrize("value", [0, 255])
def test_photos_too_small_or_too_dark_to_tell_are_left_alone(shape: tuple[int, ...], value: int) -> None:
    finds_nothing: Any = SimpleNamespace(denoise=lambda pixels, strength: planes(pixels / 255))
    assert auto_strength(np.full(shape, value, np.uint8), finds_nothing) == 0.0


def test_settings() -> None:
    assert EncodeSettings(denoise="auto").denoise == "auto"
    with pytest.raises(JdcError, match="denoise must lie between 0 and 1, or be auto, not 'much'"):
        EncodeSettings(denoise="much")  # type: ignore[arg-type]


def test_real_photographs(photographs: Any) -> None:
    from PIL import Image

    from jdcodec.codec.runtime import start_inference
    from jdcodec.codec.weights import find_model, shipped_models

    if "fast" not in shipped_models():
        pytest.skip("the fast model is not here")
    inference = start_inference(find_model("fast"), 5.0, device="cpu", precision="fp32")
    for name, strength in (("kodak/kodim03.png", 0.0), ("renoir/batch11_noisy.webp", 1.0)):
        with Image.open(photographs / "eval" / name) as image:
            assert auto_strength(np.asarray(image.convert("RGB")), inference) == strength, name
