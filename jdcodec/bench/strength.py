"""How much noise each denoise strength leaves: the table in `docs/guide.md`.

    python -m jdcodec.bench.strength PHOTO...

Each photo is coded at strengths 0, 0.1 … 1. Noise is measured where the picture of strength 1 is flattest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.errors import JdcError

#: Strengths that are tried.
STRENGTHS = tuple(step / 10 for step in range(11))

# Flat places: this share of blocks of so many pixels a side, neither nearly black nor nearly white.
_BLOCK = 16
_FLAT_SHARE = 0.1
_DARKEST, _BRIGHTEST = 0.03, 0.97


def residual_noise(
    pixels: NDArray[Any], strengths: Sequence[float] = STRENGTHS, quality: float = 8.0, model: str = "fast"
) -> list[float]:
    """Standard deviation of the noise left in flat places, in levels of 255, for each of the strengths.

    pixels: (H, W, 3) uint8. Of each place it is what no plane explains, the root mean square over R, G and B;
    of all places the median.
    """
    import jdcodec

    def decoded(strength: float) -> NDArray[np.float64]:
        data = jdcodec.encode(pixels, quality=quality, denoise=strength, model=model)
        return jdcodec.decode(data, dtype="float32").astype(np.float64)

    blocks = _blocks(reference := decoded(1.0))
    brightness = blocks.mean((1, 2))
    usable = np.flatnonzero((brightness > _DARKEST) & (brightness < _BRIGHTEST))
    order = usable[np.argsort(_powers(blocks[usable]), kind="stable")]
    flat = order[: max(1, round(_FLAT_SHARE * len(order)))]
    pictures = (reference if strength == 1 else decoded(strength) for strength in strengths)
    return [255 * float(np.median(_powers(_blocks(picture)[flat]))) ** 0.5 for picture in pictures]


def _blocks(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, 3) to (blocks, pixels of a block, 3)."""
    rows, columns = picture.shape[0] // _BLOCK, picture.shape[1] // _BLOCK
    cut = picture[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK, 3)
    return cut.transpose(0, 2, 1, 3, 4).reshape(rows * columns, _BLOCK**2, 3)


def _powers(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """What planes leave of blocks (n, pixels, 3): a mean square, (n,)."""
    rows, columns = np.divmod(np.arange(_BLOCK**2), _BLOCK)
    plane = np.linalg.qr(np.stack([np.ones(_BLOCK**2), rows, columns], axis=1))[0]
    rest = blocks - plane @ (plane.T @ blocks)
    powers: NDArray[np.float64] = (rest**2).mean((1, 2))
    return powers


def main(names: Sequence[str]) -> None:
    """Print the table for the photos named."""
    from jdcodec.photo import read_photo

    rows = [residual_noise(read_photo(name).pixels) for name in names]
    print("| photo | " + " | ".join(f"{strength:g}" for strength in STRENGTHS) + " |")
    print("|---" * (len(STRENGTHS) + 1) + "|")
    for name, row in zip([*(Path(name).stem for name in names), "mean"], [*rows, np.mean(rows, axis=0)]):
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except JdcError as error:
        sys.exit(f"strength: {error}")
