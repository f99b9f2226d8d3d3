"""The near half of the demo's scene: what stands on a wooden table by the water, and what grows beside it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from jdcodec.demo.drawing import (
    Array,
    blend,
    blur,
    coverage,
    fractal,
    glow,
    lettering,
    linear,
    paste,
    sample,
    smoothstep,
)

TABLE = 0.80  # the table's far edge, as a share of the picture's height

# The light over the table: from the left, from above, and towards the viewer.
_LIGHT = np.array((-0.62, -0.62, 0.40), np.float32)
_LIGHT /= np.linalg.norm(_LIGHT)

# The 24 patches of the classic colour rendition chart (McCamy, Marcus & Davidson 1976), 8-bit sRGB.
_CHART = (
    ("735244", "c29682", "627a9d", "576c43", "8580b1", "67bdaa"),
    ("d67e2c", "505ba6", "c15a63", "5e3c6c", "9dbc40", "e0a32e"),
    ("383d96", "469449", "af363c", "e7c71f", "bb5695", "0885a1"),
    ("f3f3f2", "c8c8c8", "a0a0a0", "7a7a79", "555555", "343434"),
)

_CARD_LINES = (
    ("JDC", 40),
    ("ONE LIGHT, MANY GRAINS", 16),
    ("What the night adds, the lens believes;", 13),
    ("what the sensor counts, it also grieves.", 11),
    ("Keep the window, keep the quay,", 10),
    ("let the grain go back to sea.", 9),
    ("0 1 2 3 4 5 6 7 8 9 · f/2.8 · 1/60 s · ISO 6400", 8),
)


def table(canvas: Array, rng: np.random.Generator) -> None:
    """A table top in perspective: planks with grain, and a runner of woven cloth across it."""
    height, width, _ = canvas.shape
    scale = height / 1024
    top = round(TABLE * height)
    y, x = np.mgrid[top:height, 0:width].astype(np.float32) / scale
    # A plane below the eye: with the horizon at row 470, depth falls as 1 / (row - 470).
    depth = 1.0 / (y - 470)
    across = (x - 0.5 * width / scale) * depth * 500
    along = depth * 150_000
    plank = along / 62
    grain = sample(fractal(rng, 512, 512, 1.1, stretch=14), across * 1.1 + 97 * np.floor(plank), along * 2.2)
    pores = sample(fractal(rng, 512, 512, 0.5, stretch=10), across * 1.9 + 31 * np.floor(plank), along * 3.1)
    tone = 0.12 * np.sin(12.9898 * np.floor(plank)) - 1.3 * smoothstep(0.94, 1.0, np.abs(plank % 1 - 0.5) * 2)
    wood = linear((0.56, 0.41, 0.28)) * np.exp(0.22 * grain + 0.10 * pores + tone)[..., None]

    weave = _weave(across, along) * np.exp(0.05 * pores)[..., None]
    hem = 300 + 2.5 * np.sin(along / 9) + 3 * grain
    on_cloth = smoothstep(1.5, -1.5, np.abs(across - 40) - hem)
    shadow = 0.45 * smoothstep(9, 0, np.abs(across - 40) - hem)
    wood *= (1 - shadow)[..., None]
    blend(wood, weave, on_cloth)

    lamp = 0.95 * np.exp(-(((x - 520) / 760) ** 2) - ((y - 930) / 330) ** 2) + 0.10
    canvas[top:] = wood * lamp[..., None] * np.array((1.0, 0.95, 0.86), np.float32)
    # The far edge catches the light of the sky; below it the water ends.
    canvas[top : top + max(1, round(2 * scale))] *= 1.6


def _weave(across: Array, along: Array) -> Array:
    """(H, W, 3) albedo of checked linen: coloured bands, and each thread's own highlight."""

    def bands(position: Array) -> Array:
        return smoothstep(0.35, 0.32, np.abs((position / 46) % 1 - 0.5) * 2)

    cream, blue = linear((0.86, 0.83, 0.76)), linear((0.20, 0.27, 0.42))
    cloth = cream + (0.5 * (bands(across) + bands(along)))[..., None] * (blue - cream)
    thread = np.sin(2 * np.pi * across / 5.2) * np.sin(2 * np.pi * along / 5.2)
    woven: Array = cloth * (1 + 0.16 * thread)[..., None]
    return woven


def _shadow(canvas: Array, x: float, y: float, half_width: float, half_height: float) -> None:
    """A soft shadow on the table, an ellipse about (x, y); all lengths in pixels."""
    height, width, _ = canvas.shape
    left, right = max(0, int(x - 2 * half_width)), min(width, int(x + 2 * half_width) + 1)
    top, bottom = max(0, int(y - 2 * half_height)), min(height, int(y + 2 * half_height) + 1)
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)
    distance = np.hypot((columns - x) / half_width, (rows - y) / half_height)
    canvas[top:bottom, left:right] *= (1 - 0.78 * smoothstep(1.35, 0.45, distance))[..., None]


def fruit(canvas: Array, rng: np.random.Generator) -> None:
    """A peach with the soft gradients of skin, an apple with a sharp highlight, and a pale egg."""
    height, width, _ = canvas.shape
    scale = height / 1024
    for kind, x, y, radius in (("peach", 0.335, 872, 96), ("apple", 0.485, 890, 76), ("egg", 0.408, 946, 42)):
        place = x * width, y * scale, radius * scale
        # One broad shadow away from the lamp, and a dark one where the fruit touches the table.
        _shadow(
            canvas, place[0] + 0.75 * place[2], place[1] + 0.84 * place[2], 1.2 * place[2], 0.32 * place[2]
        )
        _shadow(
            canvas, place[0] + 0.10 * place[2], place[1] + 0.93 * place[2], 0.55 * place[2], 0.13 * place[2]
        )
        _ball(canvas, rng, place, kind)


def _ball(canvas: Array, rng: np.random.Generator, place: tuple[float, float, float], kind: str) -> None:
    """A lit sphere about place = (x, y, radius) in pixels, with the skin of its kind."""
    cx, cy, radius = place
    left, top = int(cx - radius) - 2, int(cy - radius) - 2
    size = 2 * int(radius) + 6
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = (columns + left - cx) / radius, (rows + top - cy) / radius
    r2 = x * x + y * y
    z = np.sqrt(np.clip(1 - r2, 0, None))
    facing = x * _LIGHT[0] + y * _LIGHT[1] + z * _LIGHT[2]
    skin, gloss = _skin(rng, kind, x, y, size)
    # Wrapped diffuse light: under a large lamp, and in translucent flesh, the shadow's edge is soft and warm.
    wrap = np.array((0.30, 0.18, 0.13), np.float32) if kind == "peach" else np.float32(0.1)
    lit = np.clip((facing[..., None] + wrap) / (1 + wrap), 0, None) ** 1.25
    ambient = np.array((0.030, 0.036, 0.055), np.float32) * (1.3 - y[..., None])
    bounce = np.array((0.10, 0.075, 0.05), np.float32) * np.clip(y, 0, 1)[..., None] ** 2
    light = skin * (0.92 * lit + ambient + bounce)
    # Blinn–Phong highlight with the viewer straight ahead, and Fresnel at the rim.
    half = (_LIGHT + np.array((0, 0, 1), np.float32)) / np.linalg.norm(_LIGHT + np.array((0, 0, 1)))
    mirror = np.clip(x * half[0] + y * half[1] + z * half[2], 0, 1)
    light = light + (gloss * mirror ** (18 + 160 * gloss) + 0.05 * gloss * (1 - z) ** 3)[..., None]
    edge = np.clip((1 - np.sqrt(r2)) * radius + 0.5, 0, 1)
    paste(canvas, light, edge, left, top)


def _skin(rng: np.random.Generator, kind: str, x: Array, y: Array, size: int) -> tuple[Array, float]:
    """((size, size, 3) albedo, gloss) of one kind of fruit at the sphere's coordinates x and y."""
    fine = fractal(rng, size, size, 0.5)
    broad = fractal(rng, size, size, 1.6)
    if kind == "peach":
        blush = smoothstep(-0.5, 1.1, 0.9 * x - 0.3 * y + 0.35 * broad)[..., None]
        skin = linear((0.95, 0.76, 0.62)) * (1 - blush) + linear((0.84, 0.42, 0.33)) * blush
        crease = 1 - 0.30 * np.exp(-(((x + 0.10 - 0.30 * (1 - y * y)) / 0.07) ** 2)) * smoothstep(
            0.7, -1.0, y
        )
        return skin * (crease * np.exp(0.035 * fine))[..., None], 0.05
    if kind == "apple":
        streaks = sample(fractal(rng, 256, 256, 0.9, stretch=0.12), 90 * np.arctan2(x, 1.3 - 0.3 * y), 40 * y)
        green = smoothstep(0.2, 1.5, 0.6 * broad + 0.5 * streaks - 0.5 * y)[..., None]
        skin = linear((0.66, 0.10, 0.10)) * (1 - green) + linear((0.80, 0.66, 0.26)) * green
        specks = 1 + 0.8 * smoothstep(2.6, 3.4, fine)
        return skin * (specks * np.exp(0.16 * streaks))[..., None], 0.75
    return linear((0.93, 0.86, 0.77)) * np.exp(0.03 * fine + 0.02 * broad)[..., None], 0.12


def _tilted(canvas: Array, card: Array, centre: tuple[float, float], degrees: float) -> None:
    """Paste a (h, w, 3) card about its centre in pixels, turned by some degrees, its edges smooth."""
    height, width, _ = card.shape
    corner = -(-max(height, width) * 3 // 4)
    side = 2 * corner
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32) - corner
    angle = np.radians(degrees)
    x = columns * np.cos(angle) + rows * np.sin(angle) + width / 2
    y = -columns * np.sin(angle) + rows * np.cos(angle) + height / 2
    inside = np.clip(np.minimum.reduce([x, y, width - 1 - x, height - 1 - y]) + 0.5, 0, 1)
    turned = np.stack(
        [sample(card[..., c], x.clip(0, width - 1), y.clip(0, height - 1)) for c in range(3)], axis=2
    )
    paste(canvas, turned, inside, round(centre[0]) - corner, round(centre[1]) - corner)


def chart(canvas: Array, rng: np.random.Generator) -> None:
    """A colour chart of 24 patches, leaning a little."""
    height, width, _ = canvas.shape
    scale = height / 1024
    cell, gap = round(30 * scale), max(1, round(4 * scale))
    pitch = cell + gap
    card = np.tile(linear((0.10, 0.10, 0.11)), (4 * pitch + gap, 6 * pitch + gap, 1))
    for row, colours in enumerate(_CHART):
        for column, colour in enumerate(colours):
            patch = linear([value / 255 for value in bytes.fromhex(colour)])
            top, left = gap + row * pitch, gap + column * pitch
            card[top : top + cell, left : left + cell] = patch
    card *= np.exp(0.012 * fractal(rng, card.shape[0], card.shape[1], 0.2))[..., None]
    light = np.linspace(0.98, 0.80, card.shape[1], dtype=np.float32)[None, :, None]
    centre = 0.622 * width, 872 * scale
    _shadow(canvas, centre[0] + 10 * scale, 948 * scale, 124 * scale, 16 * scale)
    _tilted(canvas, card * light, centre, 3.0)


def card(canvas: Array, rng: np.random.Generator) -> None:
    """A printed card: text from headline to the smallest print, and a fan of lines that meet in a point."""
    height, width, _ = canvas.shape
    scale = height / 1024
    rows, columns = round(235 * scale), round(330 * scale)
    paper = np.tile(linear((0.93, 0.91, 0.86)), (rows, columns, 1))
    paper *= np.exp(0.02 * fractal(rng, rows, columns, 0.6) + 0.015 * fractal(rng, rows, columns, 1.5))[
        ..., None
    ]
    ink = linear((0.10, 0.10, 0.13))
    y = 16 * scale
    for text, size in _CARD_LINES:
        letters = lettering(text, size * scale)
        paste(paper, ink, letters, round(18 * scale), round(y))
        y += 1.62 * size * scale + 2 * scale
    _fan(paper, ink, scale)
    _rules(paper, ink, scale)
    light = np.linspace(0.86, 0.62, columns, dtype=np.float32)[None, :, None]
    centre = 0.835 * width, 852 * scale
    _shadow(canvas, centre[0] + 14 * scale, 966 * scale, 180 * scale, 18 * scale)
    _tilted(canvas, paper * light, centre, -2.5)


def _fan(paper: Array, ink: Array, scale: float) -> None:
    """A sector of a Siemens star in the card's upper right corner: detail from coarse to beyond the pixel."""
    size = round(84 * scale)
    top, left = round(14 * scale), paper.shape[1] - size - round(14 * scale)

    def draw(pen: ImageDraw.ImageDraw, factor: float) -> None:
        spokes = 36
        box = (0, 0, size * factor, size * factor)
        for spoke in range(spokes):
            pen.pieslice(box, 360 * spoke / spokes, 360 * (spoke + 0.5) / spokes, fill=255)

    paste(paper, ink, coverage(size, size, draw), left, top)


def _rules(paper: Array, ink: Array, scale: float) -> None:
    """Groups of upright lines along the card's foot, 7 to 3 pixels apart."""
    height, width, _ = paper.shape
    band = round(18 * scale)

    def draw(pen: ImageDraw.ImageDraw, factor: float) -> None:
        for group, pitch in enumerate((7.0, 6.0, 5.0, 4.0, 3.0)):
            for line in range(int(48 / pitch)):
                x = (18 + 60 * group + line * pitch) * scale * factor
                # Pillow draws the last column too, hence the one less.
                end = x + max(0, pitch / 2 * scale * factor - 1)
                pen.rectangle((x, 0, end, band * factor), fill=255)

    paste(paper, ink, coverage(band, width, draw), 0, height - band - round(12 * scale))


def grass(canvas: Array, rng: np.random.Generator) -> None:
    """Grasses in a clump at the left, each blade bent, shaded and lit in its own way."""
    height, width, _ = canvas.shape
    columns, count = round(0.24 * width), 1500
    foot = rng.beta(1.0, 2.2, count) * 0.20 * width - 0.02 * width
    length = rng.uniform(0.10, 0.40, count) * height * (1 - 0.8 * (foot / (0.2 * width)).clip(0, 1) ** 1.5)
    bend = rng.normal(0.16, 0.22, count) * length
    # Painted from back to front: the blades behind are darker.
    nearness = np.linspace(0.25, 1.0, count)
    hue = rng.uniform(0, 1, (count, 1))
    green = linear((0.30, 0.40, 0.16)) * (1 - hue) + linear((0.62, 0.58, 0.28)) * hue
    shade = (green * (nearness * rng.uniform(0.4, 1.25, count))[:, None]).clip(0, 1)
    blades = _blades(foot, length, bend, 1.04 * height, 4.2 * height / 1024)
    # Deep in the clump little light arrives.
    depth = smoothstep(0.70, 1.04, np.arange(height, dtype=np.float32) / height)
    _strokes(canvas, columns, blades, shade, 1 - 0.85 * depth)


def _blades(
    foot: Array, length: Array, bend: Array, base: float, thick: float
) -> list[list[tuple[float, float]]]:
    """Outlines of grass blades: parabolas that taper from `thick` pixels at the base to a point."""
    t = np.linspace(0, 1, 7)
    outlines = []
    for x0, rise, lean in zip(foot, length, bend):
        x, y = x0 + lean * t**2, base - rise * (t - 0.12 * t**2)
        half = thick / 2 * (1 - t)
        left, right = list(zip(x - half, y)), list(zip(x + half, y))
        outlines.append(left + right[::-1])
    return outlines


def _strokes(
    canvas: Array,
    columns: int,
    outlines: list[list[tuple[float, float]]],
    shades: Array,
    gain: Array,
) -> None:
    """Fill outlines, in pixels of the canvas, one over the other in the first `columns` columns.

    shades: (N, 3) linear light, one an outline. gain: (H,), how much light reaches each row.
    """
    height, factor = len(canvas), 2
    size = columns * factor, height * factor
    # 8-bit paint: square-root coded, so that dark shades keep their steps.
    paint, mask = Image.new("RGB", size), Image.new("L", size)
    brush, stencil = ImageDraw.Draw(paint), ImageDraw.Draw(mask)
    for outline, shade in zip(outlines, np.sqrt(shades) * 255):
        points = [(x * factor, y * factor) for x, y in outline]
        brush.polygon(points, fill=tuple(int(value) for value in shade))
        stencil.polygon(points, fill=255)
    share = np.asarray(mask.reduce(factor), np.float32)[..., None] / 255
    light = (np.asarray(paint, np.float32) / 255) ** 2
    light = light.reshape(height, factor, columns, factor, 3).mean(axis=(1, 3)) * gain[:, None, None]
    # `light` is already weighted by its coverage: black where no blade is.
    canvas[:, :columns] = canvas[:, :columns] * (1 - share) + light


def leaves(canvas: Array, rng: np.random.Generator) -> None:
    """A branch that hangs in from the upper right, dark against the sky, with twigs and many leaves."""
    height, width, _ = canvas.shape
    columns = round(0.34 * width)
    t = np.linspace(0, 1, 8)
    outlines, shades = [], []
    for twig in range(34):
        # Twigs leave the branch, which runs from beyond the picture's corner downwards to the left.
        start = rng.uniform(0.0, 1.0)
        root = np.array(((0.25 * start - 0.03) * width, (0.13 * start**1.4 - 0.02) * height))
        turn = 0.95 + 0.45 * rng.normal()
        reach = rng.uniform(0.06, 0.16) * height
        heading = np.array((np.cos(turn), np.sin(turn)))
        drawn = [root, root + reach * heading]
        side = 0.0012 * height * np.array((-heading[1], heading[0]))
        outlines.append([tuple(drawn[0] + side), tuple(drawn[1]), tuple(drawn[0] - side)])
        shades.append(np.array((0.012, 0.010, 0.008)))
        for leaf in range(18):
            centre = root + heading * reach * (leaf + 0.5) / 16
            angle = turn + (1 if leaf % 2 else -1) * rng.normal(0.8, 0.35)
            size = rng.uniform(0.014, 0.028) * height
            swell = rng.uniform(0.09, 0.24) * size * np.sin(np.pi * t**0.8)
            u, v = np.concatenate([t, t[::-1]]) * size, np.concatenate([swell, -swell[::-1]])
            x = centre[0] + u * np.cos(angle) - v * np.sin(angle)
            outlines.append(list(zip(x, centre[1] + u * np.sin(angle) + v * np.cos(angle))))
            hue = rng.uniform(0, 1)
            green = linear((0.24, 0.30, 0.15)) * (1 - hue) + linear((0.42, 0.34, 0.15)) * hue
            shades.append(green * rng.uniform(0.15, 1.0) * (0.5 + 0.5 * twig / 34))
    # From the lamp on the table below light comes up, and fades on its way.
    gain = 0.55 + 0.6 * np.arange(height, dtype=np.float32) / (0.25 * height)
    _strokes(canvas[:, ::-1], columns, outlines, np.array(shades), gain)


def lens(canvas: Array, sigma: float) -> Array:
    """What optics do: stray light about bright things, vignetting, and no perfectly sharp edge."""
    height, width, _ = canvas.shape
    y = (np.arange(height, dtype=np.float32)[:, None] / height - 0.5) * 2
    x = (np.arange(width, dtype=np.float32)[None, :] / width - 0.5) * 2
    falloff = 1 - 0.16 * (x * x + y * y)
    canvas = 0.93 * canvas + 0.07 * glow(canvas, height / 40)
    image: Array = blur(canvas, sigma) * falloff[..., None]
    return image
