"""Draws the demo's comparison: the same photo from several codecs side by side, whole and in crops."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from jdcodec.demo.compare import Pixels

_COLUMN = 384  # width of a column in pixels
_CROP_HEIGHT = 288
_GAP = 8
_BACKGROUND, _TEXT, _FAINT = (24, 24, 26), (240, 240, 240), (165, 165, 170)
_MARKS = ((255, 210, 80), (120, 220, 255), (140, 255, 140))

# Photos of this many pixels and more are shown at 100 % and searched at a fraction of their size.
_LARGE = 4_000_000


@dataclass(frozen=True)
class Column:
    """One version of the photo, with a line that names it and a line of numbers."""

    title: str
    detail: str
    pixels: Pixels


@dataclass(frozen=True)
class Spot:
    """A place worth a close look: what it shows, and its box in pixels of the photo."""

    name: str
    left: int
    top: int
    width: int
    height: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """As Pillow's crop takes it."""
        return self.left, self.top, self.left + self.width, self.top + self.height

    def overlaps(self, other: Spot) -> bool:
        """Whether the two boxes share a pixel."""
        apart_x = self.left >= other.left + other.width or other.left >= self.left + self.width
        apart_y = self.top >= other.top + other.height or other.top >= self.top + self.height
        return not (apart_x or apart_y)


def _window_means(plane: npt.NDArray[np.float64], spots: list[Spot]) -> npt.NDArray[np.float64]:
    """Mean of a (H, W) plane in each spot's box, from one summed-area table."""
    table = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    left, top, right, bottom = np.array([spot.box for spot in spots]).T
    total = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
    means: npt.NDArray[np.float64] = total / ((right - left) * (bottom - top))
    return means


def _scores(picture: Pixels, places: list[Spot]) -> list[tuple[str, npt.NDArray[np.float64]]]:
    """How well each place shows hard edges, smoothness and texture: names, each with a score a place."""
    luma = picture @ np.array((0.299, 0.587, 0.114))
    gradient = np.zeros_like(luma)
    gradient[:, 1:] += np.abs(np.diff(luma, axis=1))
    gradient[1:] += np.abs(np.diff(luma, axis=0))
    brightness = _window_means(luma, places)
    # Lettering is hard edges on bright ground; texture is some contrast at every pixel, but no such edges. A
    # smooth place that is almost black or white would show nothing.
    edges = _window_means((gradient > 40).astype(np.float64), places) * brightness
    texture = _window_means(np.minimum(gradient, 16), places) * (edges < np.quantile(edges, 0.9))
    smooth = -_window_means(gradient, places) - 50 * ((brightness < 35) | (brightness > 220))
    return [("Hard edges", edges), ("Smooth", smooth), ("Texture", texture)]


def choose_spots(picture: Pixels) -> list[Spot]:
    """Three places of a (H, W, 3) picture where codecs differ: hard edges, a smooth area, fine texture.

    Give it a picture with little noise, as noise looks like texture. A small picture yields fewer places,
    as they do not overlap.
    """
    height, width, _ = picture.shape
    zoom = 1 if height * width >= _LARGE else 2
    # `step` photo pixels are one pixel of the search; it also averages some of the noise away.
    step = max(1, math.isqrt(height * width // (_LARGE // 2)))
    small = np.asarray(Image.fromarray(picture[: height // step * step, : width // step * step]).reduce(step))
    rows, columns, _ = small.shape
    crop_rows, crop_columns = min(_CROP_HEIGHT // zoom // step, rows), min(_COLUMN // zoom // step, columns)
    places = [
        Spot("", left, top, crop_columns, crop_rows)
        for top in range(0, rows - crop_rows + 1, max(1, crop_rows // 6))
        for left in range(0, columns - crop_columns + 1, max(1, crop_columns // 6))
    ]
    chosen: list[Spot] = []
    for name, score in _scores(small, places):
        for index in np.argsort(-score, kind="stable"):
            if not any(places[index].overlaps(spot) for spot in chosen):
                chosen.append(replace(places[index], name=name))
                break
    return [
        Spot(spot.name, spot.left * step, spot.top * step, spot.width * step, spot.height * step)
        for spot in chosen
    ]


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def comparison_sheet(columns: list[Column], spots: list[Spot]) -> Image.Image:
    """A picture with a column for each version: its title and numbers, the whole photo, then each spot.

    All versions have the same size, and the spots lie inside of them.
    """
    height, width, _ = columns[0].pixels.shape
    # As wide as the column, or as high as two crops.
    scale = min(_COLUMN / width, 2 * _CROP_HEIGHT / height)
    thumbnail = max(1, round(scale * width)), max(1, round(scale * height))
    head, caption = 58, 26
    sheet_size = (
        len(columns) * (_COLUMN + _GAP) + _GAP,
        head + thumbnail[1] + len(spots) * (caption + _CROP_HEIGHT) + _GAP,
    )
    sheet = Image.new("RGB", sheet_size, _BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for number, column in enumerate(columns):
        left = _GAP + number * (_COLUMN + _GAP)
        pen.text((left, 8), column.title, _TEXT, _font(20))
        pen.text((left, 34), column.detail, _FAINT, _font(15))
        image = Image.fromarray(column.pixels)
        sheet.paste(image.resize(thumbnail, Image.Resampling.LANCZOS), (left, head))
        for row, spot in enumerate(spots):
            top = head + thumbnail[1] + row * (caption + _CROP_HEIGHT) + caption
            zoom = max(1, min(_COLUMN // spot.width, _CROP_HEIGHT // spot.height))
            # Whole pixels, not interpolated ones: the sheet shows what the codec made.
            crop = image.crop(spot.box).resize(
                (spot.width * zoom, spot.height * zoom), Image.Resampling.NEAREST
            )
            sheet.paste(crop, (left, top))
            pen.text((left, top - 20), f"{spot.name}, {zoom * 100} %", _MARKS[row], _font(14))
            _mark(pen, spot, (left, head), scale, _MARKS[row])
    return sheet


def _mark(
    pen: ImageDraw.ImageDraw,
    spot: Spot,
    corner: tuple[int, int],
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    """Outline a spot on a thumbnail whose upper left corner is `corner`."""
    x0, y0, x1, y1 = (round(value * scale) for value in spot.box)
    outline = corner[0] + x0, corner[1] + y0, corner[0] + max(x0, x1 - 1), corner[1] + max(y0, y1 - 1)
    pen.rectangle(outline, outline=colour, width=2)
