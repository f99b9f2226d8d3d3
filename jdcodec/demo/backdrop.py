"""The far half of the demo's scene: evening sky, hills, a lit town on a quay, and the water before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from jdcodec.demo.drawing import (
    Array,
    Colour,
    blend,
    blur,
    coverage,
    fractal,
    glow,
    lettering,
    linear,
    paste,
    ridge,
    sample,
    smoothstep,
)

# Heights as shares of the picture's height, from the top.
QUAY = 0.565  # where the houses stand
WATERLINE = 0.605  # the foot of the quay's wall

_DUSK: Colour = (0.060, 0.070, 0.100)  # light from the sky on everything that faces the viewer
_LAMPLIGHT = np.array((1.0, 0.62, 0.28), np.float32)
_LAMP_POSITIONS = (0.055, 0.235, 0.415, 0.60, 0.775, 0.945)
_SIGNS = ("BAKERY", "HOTEL AURORA", "BOOKS & MAPS", "CAFE", "CINEMA", "TEA ROOM", "PHOTO", "FISH")
_PLASTER = (
    (0.78, 0.66, 0.48),
    (0.70, 0.46, 0.38),
    (0.80, 0.76, 0.68),
    (0.52, 0.58, 0.60),
    (0.76, 0.60, 0.30),
    (0.58, 0.42, 0.34),
    (0.62, 0.68, 0.56),
)


def sky(canvas: Array, rng: np.random.Generator) -> None:
    """Afterglow on the right, night above, thin clouds lit from below, and stars."""
    height, width, _ = canvas.shape
    y = (np.arange(height, dtype=np.float32) / height)[:, None]
    x = (np.arange(width, dtype=np.float32) / width)[None, :]
    stops = (0.0, 0.18, 0.34, 0.46, 0.56)
    colours = linear(
        [(0.07, 0.10, 0.23), (0.13, 0.20, 0.38), (0.33, 0.36, 0.50), (0.72, 0.53, 0.47), (0.93, 0.66, 0.42)]
    )
    for channel in range(3):
        canvas[..., channel] = np.interp(y, stops, colours[:, channel])
    # The sun has set on the right: the sky there is brighter and warmer.
    nearness = np.exp(-(((x - 0.72) / 0.45) ** 2) - ((y - 0.56) / 0.30) ** 2)[..., None]
    canvas *= 0.95 + 0.55 * nearness * np.array((1.15, 1.0, 0.85), np.float32)

    cloud = fractal(rng, height, width, 1.35, stretch=3.5)
    thickness = smoothstep(-0.5, 2.4, cloud) * smoothstep(0.02, 0.30, y) * 0.85
    lit = linear((0.86, 0.50, 0.42)) * (0.25 + 0.9 * nearness) + 0.02
    blend(canvas, lit * (1 - 0.60 * smoothstep(0.2, 2.4, cloud)[..., None]), thickness)
    _stars(canvas, rng, 1 - thickness)


def _stars(canvas: Array, rng: np.random.Generator, clearness: Array) -> None:
    height, width, _ = canvas.shape
    count = 260
    stars = np.zeros_like(canvas)
    rows = (rng.beta(1, 2.6, count) * 0.42 * height).astype(int)
    columns = rng.integers(0, width, count)
    # The fainter, the more; and as each is a point, a larger pixel gathers less of it.
    brightness = 0.12 * rng.pareto(1.5, count).clip(0, 30) + 0.06
    warmth = rng.normal(0, 0.12, count)
    tint = np.stack([1 + warmth, np.ones(count), 1 - warmth], axis=1)
    stars[rows, columns] = brightness[:, None] * tint * (height / 1024) ** 2
    fade = smoothstep(0.45, 0.10, np.arange(height) / height).astype(np.float32)
    canvas += blur(stars, 0.7) * (clearness * fade[:, None])[..., None] * 3.0


def hills(canvas: Array, rng: np.random.Generator) -> None:
    """Three wooded ridges, each nearer one darker, rougher and less hazy."""
    height, width, _ = canvas.shape
    y = np.arange(height, dtype=np.float32)[:, None]
    haze = linear((0.50, 0.47, 0.56))
    layers = ((0.33, 0.040, 0.16, 0.62), (0.39, 0.032, 0.28, 0.36), (0.445, 0.024, 0.42, 0.14))
    for level, relief, roughness, haziness in layers:
        skyline = (level + relief * ridge(rng, width, 1.4) + 0.0012 * ridge(rng, width, 0.5)) * height
        texture = fractal(rng, height, width, 0.85)
        forest = linear((0.20, 0.25, 0.20)) * np.exp(roughness * texture)[..., None]
        # Mist gathers in the valleys, below the ridges.
        mist = haziness + 0.35 * smoothstep(0.0, 0.10 * height, y - skyline)
        shade = forest + mist[..., None] * (haze * 0.55 - forest)
        blend(canvas, shade, smoothstep(-0.8, 0.8, y - skyline))


@dataclass(frozen=True)
class _House:
    """One house front: columns left to right and rows top (of the wall) to base, in pixels."""

    left: int
    right: int
    top: int
    base: int
    sign: str

    @property
    def shape(self) -> tuple[int, int]:
        return self.base - self.top, self.right - self.left


def _lamp_light(height: int, width: int) -> Array:
    """(H, W, 3) light that the street lamps throw on the house fronts, falling with the distance squared."""
    y = np.arange(height, dtype=np.float32)[:, None] / height
    x = np.arange(width, dtype=np.float32)[None, :] / height
    light = np.zeros((height, width), np.float32)
    for position in _LAMP_POSITIONS:
        distance2 = (x - position * width / height) ** 2 + (y - (QUAY - 0.055)) ** 2
        light += 0.0013 / (distance2 + 0.0012)
    return light[..., None] * _LAMPLIGHT


def _wall(rng: np.random.Generator, house: _House, scale: float) -> Array:
    """(h, w, 3) albedo of a plastered or brick wall with stains."""
    height, width = house.shape
    tone = linear(_PLASTER[rng.integers(len(_PLASTER))]) * rng.uniform(0.75, 1.0)
    texture = 0.10 * fractal(rng, height, width, 0.9) + 0.05 * fractal(rng, height, width, 0.3)
    stains = 0.12 * fractal(rng, height, width, 1.3, stretch=0.25)
    if rng.random() < 0.5:
        course = 5.0 * scale
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        row = np.floor(y / course)
        joint = smoothstep(0.75, 1.0, np.abs((y / course) % 1 - 0.5) * 2)
        joint = np.maximum(joint, smoothstep(0.8, 1.0, np.abs((x / (2.2 * course) + row / 2) % 1 - 0.5) * 2))
        texture = texture + 0.25 * joint
    albedo: Array = tone * np.exp(texture + stains)[..., None]
    return albedo


def _windows(canvas: Array, rng: np.random.Generator, house: _House, scale: float) -> None:
    """Rows of sash windows; about a third are lit, each with light and curtains of its own."""
    storey, bay = 40 * scale, 30 * scale
    height, width = house.shape
    storeys, bays = max(1, int((height - 44 * scale) / storey)), max(2, int(width / bay))
    for floor in range(storeys):
        for column in range(bays):
            left = house.left + width * (column + 0.5) / bays - 8 * scale
            top = house.top + 12 * scale + floor * storey
            lit = rng.random() < 0.36
            warmth, strength = rng.uniform(0.0, 1.0), rng.uniform(0.25, 1.0)
            curtain = rng.uniform(0.15, 0.5)
            _window(canvas, (left, top, scale), (warmth, strength, curtain) if lit else None)


def _window(
    canvas: Array, place: tuple[float, float, float], lamp: tuple[float, float, float] | None
) -> None:
    """One window at (left, top, scale); its lamp is (warmth, strength, curtain), None where nobody is in."""
    left, top, scale = place
    width, height = round(16 * scale) + 4, round(25 * scale) + 4
    x0, y0 = int(left), int(top)
    dx, dy = left - x0, top - y0

    def rectangle(inset: float) -> Array:
        def draw(pen: ImageDraw.ImageDraw, factor: float) -> None:
            box = (dx + inset, dy + inset, dx + 16 * scale - inset, dy + 25 * scale - inset)
            pen.rectangle([value * factor for value in box], fill=255)

        return coverage(height, width, draw)

    def bars(pen: ImageDraw.ImageDraw, factor: float) -> None:
        thick = max(1, round(1.3 * scale * factor))
        middle, cross = (dx + 8 * scale) * factor, (dy + 9 * scale) * factor
        pen.line((middle, dy * factor, middle, (dy + 25 * scale) * factor), 255, thick)
        pen.line((dx * factor, cross, (dx + 16 * scale) * factor, cross), 255, thick)

    frame, pane = rectangle(0), rectangle(1.6 * scale)
    stone = canvas[y0 : y0 + height, x0 : x0 + width].mean(axis=(0, 1)) * 1.7
    paste(canvas, stone, frame, x0, y0)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    if lamp is None:
        glass = np.array((0.016, 0.022, 0.036), np.float32) * (1.8 - y) * np.ones_like(x)
    else:
        warmth, strength, curtain = lamp
        colour = linear((1.0, 0.86 - 0.18 * warmth, 0.62 - 0.34 * warmth)) * strength
        folds = 1 - curtain * smoothstep(0.25, 0.9, np.abs(x)) * (0.75 + 0.25 * np.cos(22 * x))
        glass = colour * folds * (1.0 - 0.55 * (y - 0.3) ** 2)
    paste(canvas, glass, pane, x0, y0)
    paste(canvas, stone * 0.8, pane * coverage(height, width, bars), x0, y0)


def _roof(canvas: Array, rng: np.random.Generator, house: _House, scale: float) -> None:
    """A tiled roof, hipped or gabled, with a chimney."""
    width = canvas.shape[1]
    rise = rng.uniform(22, 46) * scale
    inset = rng.uniform(0.05, 0.5) * (house.right - house.left)
    eaves = 3 * scale
    chimney = house.left + (0.25 + 0.5 * rng.random()) * (house.right - house.left)
    y0, y1 = max(0, int(house.top - rise - 22 * scale)), house.top + round(3 * scale)

    def draw(pen: ImageDraw.ImageDraw, factor: float) -> None:
        stack = (chimney, house.top - rise - 14 * scale - y0, chimney + 11 * scale, house.top - y0)
        pen.rectangle([value * factor for value in stack], fill=255)
        corners = (
            (house.left - eaves, house.top + 2 * scale - y0),
            (house.left + inset, house.top - rise - y0),
            (house.right - inset, house.top - rise - y0),
            (house.right + eaves, house.top + 2 * scale - y0),
        )
        pen.polygon([(x * factor, y * factor) for x, y in corners], fill=255)

    y = np.arange(y1 - y0, dtype=np.float32)[:, None]
    tiles = 0.22 * np.sin(2 * np.pi * y / (4.2 * scale)) + 0.22 * fractal(rng, y1 - y0, width, 0.4)
    tone = linear((0.36, 0.22, 0.19) if rng.random() < 0.6 else (0.24, 0.25, 0.29))
    light = np.asarray(_DUSK, np.float32) * 2.1
    blend(canvas[y0:y1], tone * light * 2.2 * np.exp(tiles)[..., None], coverage(y1 - y0, width, draw))


def _shop(canvas: Array, rng: np.random.Generator, house: _House, scale: float) -> None:
    """The ground floor: a bright window with goods in it, and the sign above."""
    left, right = house.left + round(7 * scale), house.right - round(7 * scale)
    top, base = house.base - round(25 * scale), house.base - round(3 * scale)
    if right - left < 4 or base - top < 3:
        return
    warm = linear((1.0, 0.80, 0.52)) * rng.uniform(0.2, 1.1)
    goods = fractal(rng, base - top, right - left, 0.8)
    y = np.linspace(0, 1, base - top, dtype=np.float32)[:, None]
    x = np.arange(right - left, dtype=np.float32)[None, :] / scale
    light = np.exp(0.38 * goods * y - 0.9 * (y - 0.25) ** 2)
    mullions = 1 - 0.85 * smoothstep(0.90, 0.97, np.abs((x / 24) % 1 - 0.5) * 2)
    canvas[top:base, left:right] = warm * (light * mullions)[..., None]

    board = linear(
        ((0.12, 0.20, 0.17), (0.30, 0.08, 0.07), (0.10, 0.13, 0.24), (0.16, 0.13, 0.10))[rng.integers(4)]
    )
    board_top, board_base = top - round(16 * scale), top - round(1 * scale)
    canvas[board_top:board_base, left:right] = board * (0.55 + 0.3 * goods[:1, :, None].clip(-1, 1) * 0.2)
    letters = lettering(house.sign, min(11.5 * scale, 1.35 * (right - left) / len(house.sign)))
    place_x = (left + right - letters.shape[1]) // 2
    place_y = (board_top + board_base - letters.shape[0]) // 2
    paste(canvas, tuple(linear((0.96, 0.88, 0.66)) * 0.85), letters, place_x, place_y)


def _houses(rng: np.random.Generator, height: int, width: int, scale: float) -> list[_House]:
    base = round(QUAY * height)
    signs = rng.permutation(_SIGNS)
    houses: list[_House] = []
    left = 0
    while (right := left + round(rng.uniform(100, 175) * scale)) <= width:
        top = base - round(rng.uniform(110, 215) * scale)
        houses.append(_House(left, right, top, base, str(signs[len(houses) % len(signs)])))
        left = right + round(rng.choice((0, 0, 0, 14)) * scale)
    return houses


def town(canvas: Array, rng: np.random.Generator) -> None:
    """House fronts along a quay under street lamps; the quay's wall reaches down to the water."""
    height, width, _ = canvas.shape
    scale = height / 1024
    # A house at the picture's edge is painted whole on a wider canvas, then cut.
    margin = round(200 * scale)
    wide = np.pad(canvas, ((0, 0), (margin, margin), (0, 0)), "edge")
    light = _lamp_light(height, width) + np.asarray(_DUSK, np.float32)
    wide_light = np.pad(light, ((0, 0), (margin, margin), (0, 0)), "edge")
    for house in _houses(rng, height, wide.shape[1], scale):
        _roof(wide, rng, house, scale)
        place = slice(house.top, house.base), slice(house.left, house.right)
        under_eaves = 1 - 0.55 * np.exp(-np.arange(house.shape[0], dtype=np.float32) / (7 * scale))
        wide[place] = _wall(rng, house, scale) * wide_light[place] * under_eaves[:, None, None]
        _windows(wide, rng, house, scale)
        _shop(wide, rng, house, scale)
    canvas[:] = wide[:, margin : margin + width]
    _quay(canvas, rng, light)
    _lamps(canvas)


def _quay(canvas: Array, rng: np.random.Generator, light: Array) -> None:
    height, width, _ = canvas.shape
    top, foot = round(QUAY * height), round(WATERLINE * height) + 1
    y, x = np.mgrid[0 : foot - top, 0:width].astype(np.float32) * (1024 / height)
    row = np.floor(y / 11)
    joints = np.maximum(np.abs((y / 11) % 1 - 0.5), np.abs((x / 27 + 0.37 * row) % 1 - 0.5)) * 2
    texture = 0.20 * fractal(rng, foot - top, width, 0.6) - 0.6 * smoothstep(0.80, 1.0, joints)
    shade = linear((0.52, 0.49, 0.45)) * np.exp(texture)[..., None]
    kerb = 1 + 0.8 * smoothstep(4, 2, y)[..., None]
    damp = 1 - 0.6 * smoothstep(18, 42, y)[..., None]
    canvas[top:foot] = shade * kerb * damp * light[top:foot]


def _lamps(canvas: Array) -> None:
    """Lamp posts; the bulbs are far above white, as in a photograph, and bloom in the lens."""
    height, width, _ = canvas.shape
    scale = height / 1024

    def posts(pen: ImageDraw.ImageDraw, factor: float) -> None:
        for position in _LAMP_POSITIONS:
            x, head, foot = (
                position * width * factor,
                (QUAY - 0.055) * height * factor,
                QUAY * height * factor,
            )
            thick = max(1, round(2.6 * scale * factor))
            pen.line((x, head, x, foot + 3), 255, thick)
            pen.line(
                (
                    x - 5 * scale * factor,
                    head + 6 * scale * factor,
                    x + 5 * scale * factor,
                    head + 6 * scale * factor,
                ),
                255,
                thick,
            )

    def bulbs(pen: ImageDraw.ImageDraw, factor: float) -> None:
        for position in _LAMP_POSITIONS:
            x, y, radius = position * width * factor, (QUAY - 0.057) * height * factor, 4.6 * scale * factor
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)

    blend(canvas, (0.010, 0.010, 0.011), coverage(height, width, posts))
    light = coverage(height, width, bulbs)[..., None] * _LAMPLIGHT**0.6 * 6.0
    np.maximum(canvas, light, out=canvas)
    canvas += 0.35 * glow(light, 16 * scale) + 0.9 * glow(light, 52 * scale)


def water(canvas: Array, rng: np.random.Generator) -> None:
    """What stands above the waterline, mirrored in ripples that grow towards the viewer."""
    height, width, _ = canvas.shape
    scale = height / 1024
    line = round(WATERLINE * height)
    depth = np.arange(1, height - line + 1, dtype=np.float32)[:, None] / scale
    x = np.arange(width, dtype=np.float32)[None, :] / scale
    # Water seen `depth` below the horizon lies at a distance in proportion to 1 / depth.
    distance = 5200.0 / (depth + 26)
    swell = sample(fractal(rng, 512, 512, 1.5, stretch=2.5), x * distance / 100, distance * 9.0)
    ripples = sample(fractal(rng, 512, 512, 1.2, stretch=3.0), x * distance / 36, distance * 31.0)
    slope = swell + 0.8 * ripples
    reach = 2.0 + 0.15 * depth
    # A pixel of water holds many wavelets: the mean of several mirrored rows, not one.
    mirrored = np.zeros((height - line, width, 3), np.float32)
    for spread in (-0.9, -0.3, 0.3, 0.9):
        rows = (line - (depth - (slope + 0.6 * spread) * reach) * scale).clip(0, line - 1)
        columns = ((x + 0.10 * slope * reach) * scale).clip(0, width - 1)
        for channel in range(3):
            mirrored[..., channel] += 0.25 * sample(canvas[:line, :, channel], columns, rows)
    # Fresnel: grazing light far away is mirrored almost wholly, light near the viewer less.
    mirror = 0.82 - 0.34 * smoothstep(0, 330, depth)[..., None]
    body = linear((0.10, 0.17, 0.20)) * (1 + 0.25 * slope[..., None].clip(-2, 2))
    canvas[line:] = mirrored * mirror + body * (1 - mirror)
