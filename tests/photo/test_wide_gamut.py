"""Display P3 and Adobe RGB through the codec: colours that sRGB has arrive, others as its nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import jdcodec
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.weights import shipped_models
from jdcodec.container import parse
from jdcodec.photo import from_array, read_photo

from .samples import DISPLAY_P3, matrix_profile, pillow_file

# Adobe RGB (1998), adapted to D50: columns are its primaries; its curve is a power of 563/256.
ADOBE_RGB = np.array(
    [[0.6097559, 0.2052401, 0.1492240], [0.3111242, 0.6256560, 0.0632197], [0.0194811, 0.0608902, 0.7448387]]
)
SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
SPACES = {"Display P3": (DISPLAY_P3, None), "Adobe RGB": (ADOBE_RGB, 563 / 256)}

needs_model = pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")


def decoded_curve(values: Any, power: float | None) -> Any:
    if power is not None:
        return values**power
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded_curve(light: Any, power: float | None) -> Any:
    if power is not None:
        return light ** (1 / power)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def colour_rich(height: int = 192, width: int = 256) -> NDArray[np.float64]:
    """(H, W, 3) sRGB: all hues from left to right, from gray to full saturation and from dark to bright."""
    hue = np.linspace(0, 2 * np.pi, width)[None, :]
    strength = np.linspace(0, 1, height)[:, None]
    waves = np.stack([0.5 + 0.5 * np.cos(hue - k * 2 * np.pi / 3) for k in range(3)], axis=2)
    rows = np.arange(height)[:, None, None]
    return (0.6 + 0.35 * np.sin(rows / 30)) * (0.5 + strength[..., None] * (waves - 0.5))


def in_space(srgb: NDArray[np.float64], name: str) -> bytes:
    """A PNG of the same colours in a wide-gamut space, its profile embedded."""
    matrix, power = SPACES[name]
    light = (decoded_curve(srgb, None) @ (np.linalg.inv(matrix) @ SRGB).T).clip(0, 1)
    pixels = np.rint(255 * encoded_curve(light, power)).astype(np.uint8)
    return pillow_file(pixels, "PNG", icc_profile=profile(name))


def profile(name: str) -> bytes:
    matrix, power = SPACES[name]
    return matrix_profile(matrix) if power is None else matrix_profile(matrix, [power])


def delta_e(first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.float64]:
    """CIEDE2000 of two sRGB pictures, uint8."""
    color = pytest.importorskip("skimage.color")
    labs = (color.rgb2lab(picture / 255.0) for picture in (first, second))
    difference: NDArray[np.float64] = color.deltaE_ciede2000(*labs)
    return difference


@needs_model
@pytest.mark.parametrize("name", SPACES)
def test_wide_gamut_arrives_as_srgb_does(name: str) -> None:
    """Against the same colours that came in as sRGB, at quality 8 and with nothing denoised."""
    srgb = colour_rich()
    straight = np.rint(255 * srgb).astype(np.uint8)
    photo = read_photo(in_space(srgb, name))
    settings = EncodeSettings(quality=8, denoise=0)
    data = encode_photo(photo, settings)
    assert parse(data).metadata.icc is None
    found = jdcodec.decode(data)
    assert delta_e(found, jdcodec.decode(encode_photo(from_array(straight), settings))).mean() < 1
    assert delta_e(found, straight).mean() < 1
    # Taken for sRGB, the same file would be far off: the test can fail.
    unconverted = np.asarray(_pixels(in_space(srgb, name)))
    assert delta_e(unconverted, straight).mean() > 1.5


@pytest.mark.parametrize("name", SPACES)
def test_colours_that_srgb_lacks_become_its_nearest(name: str) -> None:
    """Full red, green and blue of the wider space: what they lose is known, and hue stays what it was."""
    pixels = np.zeros((1, 3, 3), np.uint8)
    pixels[0, range(3), range(3)] = 255
    photo = read_photo(pillow_file(pixels, "PNG", icc_profile=profile(name)))
    found = photo.pixels[0]
    assert (found.argmax(axis=1) == range(3)).all() and (found.max(axis=1) >= 250).all()
    assert photo.notes == ("The colours were converted from the embedded profile to sRGB.",)
    assert clipping(name).max() < {"Display P3": 8, "Adobe RGB": 11}[name]


def clipping(name: str) -> NDArray[np.float64]:
    """CIEDE2000 of red, green, blue, cyan, magenta and yellow of a space to what they become in sRGB."""
    color = pytest.importorskip("skimage.color")
    matrix, power = SPACES[name]
    pixels = np.array([[(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0)]], np.uint8) * 255
    kept = read_photo(pillow_file(pixels, "PNG", icc_profile=profile(name))).pixels / 255.0
    d50 = np.array([0.9642, 1.0, 0.8249])
    labs = []
    for values, to_xyz, curve in ((pixels / 255.0, matrix, power), (kept, SRGB, None)):
        xyz = decoded_curve(values, curve) @ to_xyz.T / d50
        f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
        opponents = (116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2]))
        labs.append(np.stack(opponents, axis=-1))
    difference: NDArray[np.float64] = color.deltaE_ciede2000(*labs)
    return difference[0]


@needs_model
def test_photographs_of_wide_gamut(photographs: Path) -> None:
    """A photograph handed in as Display P3 comes back as the one handed in as sRGB."""
    straight = read_photo(photographs / "eval" / "kodak" / "kodim03.png").pixels[100:356, 200:584]
    settings = EncodeSettings(quality=8, denoise=0)
    wide = read_photo(in_space(straight / 255.0, "Display P3"))
    pictures = [jdcodec.decode(encode_photo(photo, settings)) for photo in (wide, from_array(straight))]
    assert delta_e(*pictures).mean() < 1


def _pixels(png: bytes) -> Any:
    import io

    from PIL import Image

    return Image.open(io.BytesIO(png))
