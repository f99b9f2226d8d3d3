"""Decoded pictures for the report's slider: a few samples, coded by every codec to about the same size."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from jdcodec.errors import JdcError

from .codec import CodecFailure, Coded
from .metrics import Pixels, bits_per_pixel, psnr
from .runner import Entrant
from .sets import PictureSet, ReadPixels, Sample

LARGEST_SIDE = 1024
"""Larger pictures are cropped to their centre, so that the report stays small and 100 % stays 100 %."""

SHOWN_BY_DEFAULT = 3


@dataclass(frozen=True)
class Shown:
    """One picture of the slider: whose it is ("" for input and target), a label and a data URI."""

    codec: str
    label: str
    detail: str
    uri: str


@dataclass(frozen=True)
class Comparison:
    """All pictures of one sample: input and target, then one for each codec that could code it."""

    image: str
    width: int
    height: int
    cropped: bool
    shown: tuple[Shown, ...]


def choose_samples(pictures: PictureSet, names: Sequence[str]) -> tuple[Sample, ...]:
    """The samples of these names, or three spread over the set. Raises JdcError for an unknown name."""
    by_name = {sample.name: sample for sample in pictures.samples}
    for name in names:
        if name not in by_name:
            raise JdcError(f"no picture {name!r} to show in the set; it begins with {next(iter(by_name))!r}")
    if names:
        return tuple(by_name[name] for name in names)
    count = min(SHOWN_BY_DEFAULT, len(pictures.samples))
    return tuple(pictures.samples[(2 * i + 1) * len(pictures.samples) // (2 * count)] for i in range(count))


def compare(sample: Sample, entrants: Sequence[Entrant], read: ReadPixels) -> Comparison:
    """Code a sample with every codec at the size that the first one needs at its middle quality.

    A codec that fails is left out. Without any entrant only input and target are shown.
    """
    source, target = sample.load(read)
    shown = [Shown("", "Clean target" if sample.input_psnr else "Original", "", _uri(target))]
    if sample.input_psnr is not None:
        detail = f"{sample.input_psnr:.2f} dB to the clean target"
        shown.append(Shown("", "Noisy input", detail, _uri(source)))
    aim: int | None = None
    for entrant in entrants:
        try:
            quality, coded = _near_size(entrant, source, aim)
        except CodecFailure:
            continue
        aim = aim or len(coded.data)
        bpp = bits_per_pixel(len(coded.data), sample.height, sample.width)
        detail = (
            f"{len(coded.data) / 1000:.1f} kB, {bpp:.3f} bpp, {psnr(target, coded.pixels):.2f} dB, "
            f"quality {quality:g}"
        )
        shown.append(Shown(entrant.codec.name, entrant.codec.title, detail, _uri(coded.pixels)))
    height, width = (min(side, LARGEST_SIDE) for side in (sample.height, sample.width))
    return Comparison(
        sample.name, width, height, (height, width) != (sample.height, sample.width), tuple(shown)
    )


def _near_size(entrant: Entrant, source: Pixels, aim: int | None) -> tuple[float, Coded]:
    """(quality, result) nearest to `aim` bytes, by bisection; at the middle quality where there is no aim."""
    if aim is None:
        quality = entrant.qualities[len(entrant.qualities) // 2]
        return quality, entrant.codec.code(source, quality)
    scale = entrant.codec.scale
    low, high = 0, round(abs(scale.best - scale.worst) / scale.step)
    tried: dict[float, Coded] = {}
    while low <= high:
        middle = (low + high) // 2
        quality = scale.at(middle)
        tried[quality] = entrant.codec.code(source, quality)
        if len(tried[quality].data) < aim:
            low = middle + 1
        else:
            high = middle - 1
    nearest = min(tried, key=lambda q: abs(len(tried[q].data) - aim))
    return nearest, tried[nearest]


def _uri(pixels: Pixels) -> str:
    """Lossless WebP of the centre as a data URI."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - LARGEST_SIDE) // 2, max(0, width - LARGEST_SIDE) // 2
    centre = pixels[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]
    stream = io.BytesIO()
    Image.fromarray(centre).save(stream, "WEBP", lossless=True, quality=50, method=3)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
