"""Pictures and codecs made for the tests: nothing here needs photographs, weights or installed programs."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from jdcodec.bench.codec import Scale
from jdcodec.bench.libraries import Library
from jdcodec.bench.metrics import Pixels


def make_picture(seed: int = 0, height: int = 48, width: int = 64) -> Pixels:
    """Smooth colours with some discs and a little texture, (height, width, 3) uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    picture = np.stack([80 + 90 * np.sin(x / 17 + seed), 120 + 60 * np.cos(y / 13), 60 + 100 * x / width], -1)
    for _ in range(5):
        cy, cx, radius = (
            random.uniform(0, height),
            random.uniform(0, width),
            random.uniform(height / 12, height / 4),
        )
        picture[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = random.uniform(20, 235, 3)
    return np.clip(picture + random.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def save(path: Path, pixels: Pixels) -> Path:
    """Write a picture in the format of the path's suffix; returns the path."""
    Image.fromarray(pixels).save(path)
    return path


def quantiser(name: str = "fake", *, waste: int = 0, version: str = "fake 1") -> Library:
    """A codec that quantises by 2 ** (8 - quality) and deflates, with `waste` bytes on top: qualities 1…6."""

    def encode(pixels: Pixels, quality: float) -> bytes:
        step = 2 ** (8 - round(quality))
        levels = (pixels // step).astype(np.uint8)
        head = np.array([*pixels.shape[:2], step], np.uint32).tobytes()
        return head + zlib.compress(levels.tobytes(), 9) + bytes(waste)

    def decode(data: bytes) -> Pixels:
        height, width, step = np.frombuffer(data[:12], np.uint32).astype(int)
        unpacked = zlib.decompressobj().decompress(data[12:])
        levels = np.frombuffer(unpacked, np.uint8).reshape(height, width, 3)
        return (levels.astype(int) * step + step // 2).clip(0, 255).astype(np.uint8)

    return Library(
        name=name,
        title=f"{name.title()} codec",
        scale=Scale(1, 6, 1, (2, 3, 4, 5)),
        load=lambda: version,
        encode=encode,
        decode=decode,
        describe=lambda quality: f"{name}(image, quality={quality:g})",
    )


@pytest.fixture
def clean_set(tmp_path: Path) -> Path:
    """A folder of three clean pictures."""
    folder = tmp_path / "meadow"
    folder.mkdir()
    for number in range(3):
        save(folder / f"picture{number}.png", make_picture(number))
    return folder


@pytest.fixture
def quiet() -> Console:
    """A console that writes into a string: `quiet.file.getvalue()`."""
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """`on_path(name, body)` puts an executable Python script of that name first on PATH."""
    import os
    import sys

    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name: str, body: str) -> Path:
        script = folder / name
        script.write_text(f"#!{sys.executable}\n{body}\n")
        script.chmod(0o755)
        return script

    yield put
