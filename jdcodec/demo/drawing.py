"""Painting in linear light: anti-aliased coverage, 1/f texture, blur and lettering for `scene`.

A canvas is (H, W, 3) float32 linear sRGB. Shapes come as coverage, (H, W) float32 in [0, 1], the share of
each pixel that the shape fills, so that edges blend as they would on a sensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

# float32 unless a docstring says otherwise.
Array = npt.NDArray[Any]
Colour = tuple[float, float, float]

_SUPERSAMPLING = 3


def linear(srgb: Array | Sequence[float] | Sequence[Colour]) -> Array:
    """sRGB values in [0, 1] as linear light, IEC 61966-2-1."""
    values = np.asarray(srgb, np.float32)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """0 below `low`, 1 above `high`, and a smooth cubic between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blend(canvas: Array, light: Array | Colour, coverage: Array | float) -> None:
    """Lay `light`, one colour or a canvas, over the canvas in place where the coverage says."""
    share = coverage[..., None] if isinstance(coverage, np.ndarray) else coverage
    canvas += share * (np.asarray(light, np.float32) - canvas)


def coverage(height: int, width: int, draw: Callable[[ImageDraw.ImageDraw, float], None]) -> Array:
    """Coverage of what `draw(pen, scale)` paints in white; it multiplies each coordinate by `scale`."""
    mask = Image.new("L", (width * _SUPERSAMPLING, height * _SUPERSAMPLING))
    draw(ImageDraw.Draw(mask), _SUPERSAMPLING)
    return np.asarray(mask.reduce(_SUPERSAMPLING), np.float32) / 255


def lettering(text: str, size: float, spacing: float = 0.3) -> Array:
    """Coverage of some lines of text, `size` pixels an em, cropped to the ink's box."""
    font = ImageFont.load_default(size * _SUPERSAMPLING)
    pen = ImageDraw.Draw(Image.new("L", (1, 1)))
    gap = size * spacing * _SUPERSAMPLING
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font, spacing=gap)
    width = -(-int(right - left + 1) // _SUPERSAMPLING)
    height = -(-int(bottom - top + 1) // _SUPERSAMPLING)

    def write(pen: ImageDraw.ImageDraw, _scale: float) -> None:
        pen.multiline_text((-left, -top), text, 255, font, spacing=gap)

    return coverage(height, width, write)


def paste(canvas: Array, light: Array | Colour, stamp: Array, left: int, top: int) -> None:
    """Blend `light` through a small coverage whose corner goes to (left, top); what falls outside is cut.

    light: one colour, or (h, w, 3) of the coverage's size.
    """
    height, width = canvas.shape[:2]
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + stamp.shape[0], height), min(left + stamp.shape[1], width)
    if y0 < y1 and x0 < x1:
        inside = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
        shade = light[inside] if isinstance(light, np.ndarray) and light.ndim == 3 else light
        blend(canvas[y0:y1, x0:x1], shade, stamp[inside])


def fractal(
    rng: np.random.Generator, height: int, width: int, exponent: float = 1.0, stretch: float = 1.0
) -> Array:
    """(H, W) noise, mean 0 and variance 1, with an amplitude spectrum of 1/f^exponent, as in photographs.

    stretch: how many times longer than high its features are.
    """
    spectrum = np.fft.rfft2(rng.standard_normal((height, width), np.float32))
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None, :] * stretch
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = np.inf
    spectrum *= frequency**-exponent
    noise = np.fft.irfft2(spectrum, (height, width))
    normal: Array = (noise / noise.std()).astype(np.float32)
    return normal


def ridge(rng: np.random.Generator, count: int, exponent: float) -> Array:
    """(count,) rough line of mean 0 and variance 1: a skyline, a bank, the edge of a cloth."""
    return fractal(rng, 1, count, exponent)[0] if count > 1 else np.zeros(1, np.float32)


def blur(canvas: Array, sigma: float) -> Array:
    """Gaussian blur of a canvas or a coverage, `sigma` in pixels, edges mirrored."""
    radius = max(1, round(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        length = canvas.shape[axis]
        pad = [(0, 0)] * canvas.ndim
        pad[axis] = (radius, radius)
        padded = np.pad(canvas, pad, "symmetric")
        canvas = np.zeros_like(canvas)
        for offset, weight in enumerate(kernel):
            window = [slice(None)] * canvas.ndim
            window[axis] = slice(offset, offset + length)
            canvas += weight * padded[tuple(window)]
    return canvas


def glow(canvas: Array, sigma: float) -> Array:
    """A blur too wide for `blur`: done at a quarter or less of the size, and scaled back smoothly."""
    height, width = canvas.shape[:2]
    factor = max(1, int(sigma / 2))
    small_size = (max(1, width // factor), max(1, height // factor))
    planes = []
    for plane in np.moveaxis(canvas, 2, 0):
        small = Image.fromarray(np.ascontiguousarray(plane)).resize(small_size, Image.Resampling.BOX)
        wide = blur(np.asarray(small), sigma / factor)
        planes.append(np.asarray(Image.fromarray(wide).resize((width, height), Image.Resampling.BICUBIC)))
    return np.stack(planes, axis=2)


def sample(texture: Array, x: Array, y: Array) -> Array:
    """Bilinear look-up in an endlessly repeated (H, W) texture at real coordinates x and y, in pixels."""
    height, width = texture.shape
    x0, y0 = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = (x - x0).astype(np.float32), (y - y0).astype(np.float32)
    left, right = x0 % width, (x0 + 1) % width
    top, bottom = y0 % height, (y0 + 1) % height
    upper = texture[top, left] * (1 - fx) + texture[top, right] * fx
    lower = texture[bottom, left] * (1 - fx) + texture[bottom, right] * fx
    blended: Array = upper * (1 - fy) + lower * fy
    return blended
