"""The scene that the demo photographs where the user brings no photo: an evening by the water.

It holds what a codec meets in photographs, each in its place: a smooth sky with points of light, hazy
hills, brick and lit windows, lettering from large to illegible, mirrored lights, grass and leaves, wood,
woven cloth, skin-like gradients, saturated patches, and lines finer than a pixel.
"""

from __future__ import annotations

import numpy as np

from jdcodec.demo import backdrop, foreground
from jdcodec.demo.drawing import Array


def render(height: int = 1024, width: int = 1536, seed: int = 7) -> Array:
    """(H, W, 3) linear sRGB light. 1 is white; street lamps are brighter, as they are to a camera.

    The picture is laid out for a width of one and a half heights, and each side has 128 pixels or more. One
    seed makes one scene at a size: other seeds build another town under another sky.
    Raises ValueError for a smaller size.
    """
    if min(height, width) < 128:
        raise ValueError(f"a scene has 128 pixels or more a side, not {width} × {height}")
    rng = np.random.default_rng(seed)
    canvas = np.zeros((height, width, 3), np.float32)
    for paint in (
        backdrop.sky,
        backdrop.hills,
        backdrop.town,
        backdrop.water,
        foreground.table,
        foreground.grass,
        foreground.leaves,
        foreground.card,
        foreground.chart,
        foreground.fruit,
    ):
        paint(canvas, rng)
    return foreground.lens(canvas, sigma=0.65)
