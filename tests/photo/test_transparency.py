"""Alpha goes onto white, the first of several images is taken, and notes say so."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from jdcodec.photo import from_array, read_photo

from .samples import deep_png, picture, pillow_file


@pytest.mark.parametrize("format_name", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_alpha_is_laid_on_white(format_name: str) -> None:
    samples = np.zeros((8, 8, 4), np.uint8)
    samples[:, 4:, 3] = 255
    settings = (
        {"lossless": True} if format_name == "WEBP" else {"quality": 100} if format_name == "AVIF" else {}
    )
    photo = read_photo(pillow_file(samples, format_name, **settings))
    np.testing.assert_allclose(photo.pixels[:, :3], 255, atol=3)
    np.testing.assert_allclose(photo.pixels[:, 5:], 0, atol=3)
    assert photo.notes == ("Its transparent parts were laid on white.",)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [2, 4])
def test_partial_alpha_is_rounded_to_the_nearest(bits: int, channels: int) -> None:
    samples = picture(bits=bits, channels=channels)
    data = deep_png(samples) if bits == 16 else pillow_file(samples, "PNG")
    photo = read_photo(data)
    top = 2**bits - 1
    alpha = samples[..., -1:] / top
    expected = samples[..., :-1] * alpha + top * (1 - alpha)
    np.testing.assert_allclose(photo.pixels, np.broadcast_to(expected, photo.pixels.shape), atol=0.501)
    assert photo.is_gray == (channels == 2)


def test_opaque_alpha_needs_no_note() -> None:
    samples = picture(channels=4)
    samples[..., 3] = 255
    photo = read_photo(pillow_file(samples, "PNG"))
    np.testing.assert_array_equal(photo.pixels, samples[..., :3])
    assert photo.notes == ()


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(transparent: bool) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    file = io.BytesIO()
    image.save(file, "PNG", **({"transparency": 1} if transparent else {}))
    photo = read_photo(file.getvalue())
    assert photo.pixels[2, 2].tolist() == ([255, 255, 255] if transparent else [200, 100, 50])
    assert bool(photo.notes) == transparent


def test_gray_with_a_transparent_level() -> None:
    file = io.BytesIO()
    Image.fromarray(np.array([[10, 20]], np.uint8)).save(file, "PNG", transparency=10)
    photo = read_photo(file.getvalue())
    assert photo.pixels[0, :, 0].tolist() == [255, 20] and photo.is_gray


@pytest.mark.parametrize("format_name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_the_first_of_several_images_is_read(format_name: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    file = io.BytesIO()
    settings = {"lossless": True} if format_name == "WEBP" else {}
    frames[0].save(file, format_name, save_all=True, append_images=frames[1:], **settings)
    photo = read_photo(file.getvalue())
    np.testing.assert_allclose(photo.pixels, np.broadcast_to([255, 0, 0], (8, 8, 3)), atol=3)
    assert photo.notes == ("It holds several images; the first was read.",)


def test_pil_images_are_treated_like_files() -> None:
    image = Image.fromarray(np.zeros((4, 4, 4), np.uint8))
    assert from_array(image).pixels.min() == 255
    assert from_array(image).notes == ("Its transparent parts were laid on white.",)
