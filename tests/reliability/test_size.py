"""Photos from 1 megapixel up: time grows in proportion, memory by little more than what must be held.

`make soak` goes up to 64 megapixels; JDC_MEGAPIXELS=1,4,100 names other sizes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker

from jdcodec.codec.weights import shipped_models

#: Peak memory allowed: bytes whatever the size, and for each pixel. When encoding, those are the file as read
#: (3), latents in float32 (5), symbols (2.5) and windows across the picture; when decoding, symbols, the
#: pixels as they are and as a file (6), and again windows.
ENCODE, DECODE = (700 << 20, 14), (550 << 20, 11)

SIZES = os.environ.get("JDC_MEGAPIXELS", "1,4,16,64" if "JDC_SOAK" in os.environ else "")

pytestmark = [
    pytest.mark.skipif(not SIZES, reason="takes minutes: part of `make soak`, or set JDC_MEGAPIXELS"),
    pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system does not tell what a process took"),
    pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors"),
]


@dataclass(frozen=True)
class Taken:
    """Processor time in seconds, and peak memory in bytes, of a command."""

    seconds: float
    memory: int


def run(*arguments: str | Path) -> Taken:
    command = [sys.executable, "-c", "from jdcodec.cli import main; main()", *map(str, arguments)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    unit = 1 if sys.platform == "darwin" else 1024
    return Taken(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def write_picture(path: Path, side: int, make_picture: PictureMaker) -> None:
    """A square PPM of made pictures with noise, row of tiles by row of tiles."""
    tile = 500
    tiles = [make_picture(tile, tile, seed).astype(np.float32) for seed in range(8)]
    random = np.random.default_rng(0)

    def rows() -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        for row in range(-(-side // tile)):
            across = [tiles[(3 * row + column) % len(tiles)] for column in range(-(-side // tile))]
            yield np.concatenate(across, axis=1)[: side - row * tile, :side]

    with path.open("wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (side, side))
        for strip in rows():
            noisy = strip + random.normal(0, 8, strip.shape)
            file.write(np.rint(noisy).clip(0, 255).astype(np.uint8).tobytes())


def test_time_and_memory_grow_in_proportion(tmp_path: Path, make_picture: PictureMaker) -> None:
    photo, coded, out = (tmp_path / name for name in ("photo.ppm", "photo.jdc", "out.ppm"))
    found = {}
    for millions in map(float, SIZES.split(",")):
        side = round((millions * 1e6) ** 0.5)
        write_picture(photo, side, make_picture)
        there = run("encode", photo, "-o", coded, "--force", "--quiet")
        back = run("decode", coded, "-o", out, "--force", "--quiet")
        found[millions] = there, back
        for name, taken in (("encode", there), ("decode", back)):
            print(
                f"{name} {millions:g} megapixels: {taken.seconds / millions:.3f} s a megapixel, "
                f"{taken.memory / 2**20:.0f} MiB"
            )
        assert out.stat().st_size == photo.stat().st_size
        for taken, (fixed, for_each) in zip((there, back), (ENCODE, DECODE)):
            assert taken.memory < fixed + for_each * side**2
    if len(found) < 2:
        return
    # The start of the process is no small part of what the smallest takes: all later ones are bounded by it.
    smallest, largest = found[min(found)], found[max(found)]
    for small, large in zip(smallest, largest):
        assert large.seconds / max(found) < 1.5 * small.seconds / min(found)
