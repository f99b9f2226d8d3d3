"""Codecs under test that run in this process: what Pillow writes by itself and through its plugins."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from PIL import Image, features

from .codec import CodecFailure, Coded, Scale, Unavailable, checked, guarded
from .memory import measured_warm
from .metrics import Pixels

WARM_UP_SIDE = 64


def warm_up_picture() -> Pixels:
    """A small picture to code before anything is timed, (64, 64, 3) uint8."""
    ramp = np.arange(WARM_UP_SIDE, dtype=np.uint8)
    return np.stack(np.broadcast_arrays(ramp, ramp[:, None], np.uint8(128)), axis=-1)


@dataclass(frozen=True)
class Library:
    """A codec of this process. `describe(quality)` is the call that `encode` makes, as one would type it.

    `load` imports what is needed and returns the version; it raises Unavailable where that is missing.
    `compiled()` counts what the library has compiled so far: a call during which it rises is not a warm one,
    and is measured a second time.
    """

    name: str
    title: str
    scale: Scale
    load: Callable[[], str]
    encode: Callable[[Pixels, float], bytes]
    decode: Callable[[bytes], Pixels]
    describe: Callable[[float], str]
    kind: str = "library"
    compiled: Callable[[], int] = lambda: 0

    def prepare(self) -> str:
        """Load and code a small picture, so that the first timed call is a warm one. Raises Unavailable."""
        found = self.load()
        try:
            self.code(warm_up_picture(), self.scale.grid[0])
        except CodecFailure as error:
            raise Unavailable(f"{self.name} does not work here: {error}") from error
        return found

    def code(self, pixels: Pixels, quality: float) -> Coded:
        """Encode to bytes and decode them again. Raises CodecFailure, whatever the library raises."""
        data, encode = guarded(
            lambda: measured_warm(lambda: self.encode(pixels, quality), self.compiled), "encoding"
        )
        decoded, decode = guarded(lambda: measured_warm(lambda: self.decode(data), self.compiled), "decoding")
        return checked(Coded(data, decoded, encode, decode), pixels)

    def command(self, quality: float) -> str:
        """The call that encodes, as one would type it."""
        return self.describe(quality)


@dataclass(frozen=True)
class PillowFormat:
    """A format that Pillow's `Image.save` writes, with the quality in the argument that `arguments` makes.

    `plugin` is a module that registers the format; it comes in `package` on PyPI. `feature` is the name of a
    part of Pillow itself that has to be compiled in.
    """

    format: str
    arguments: Callable[[float], dict[str, Any]]
    feature: str | None = None
    plugin: str | None = None
    package: str | None = None
    register: str | None = None
    fixed: dict[str, Any] = field(default_factory=dict)

    def load(self) -> str:
        """Version of Pillow or of the plugin. Raises Unavailable where it is missing."""
        if self.plugin:
            try:
                module = importlib.import_module(self.plugin)
            except ImportError as error:
                raise Unavailable(
                    f"{self.format}: install {self.package} (pip install 'jdcodec[bench]')"
                ) from error
            if self.register:
                getattr(module, self.register)()
            return f"{self.package} {version(str(self.package))}"
        if self.feature and not features.check(self.feature):
            raise Unavailable(f"{self.format}: this Pillow is built without it; install Pillow's own wheel")
        inner = features.version(self.feature) if self.feature else None
        return f"Pillow {version('pillow')}" + (f" ({self.feature} {inner})" if inner else "")

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """The file's bytes."""
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, self.format, **self.arguments(quality), **self.fixed)
        return stream.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """(H, W, 3) uint8."""
        with Image.open(io.BytesIO(data), formats=[self.format]) as image:
            return np.asarray(image.convert("RGB"))

    def describe(self, quality: float) -> str:
        """The call, as one would type it."""
        arguments = {**self.arguments(quality), **self.fixed}
        listed = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        return f"Image.save(file, {self.format!r}, {listed})"


def pillow(name: str, title: str, scale: Scale, form: PillowFormat) -> Library:
    """A `Library` for a format of Pillow's."""
    return Library(name, title, scale, form.load, form.encode, form.decode, form.describe)


def _whole(quality: float) -> dict[str, Any]:
    return {"quality": round(quality)}


def _decibels(quality: float) -> dict[str, Any]:
    return {"quality_layers": [quality]}


_FORMATS = partial(PillowFormat, arguments=_whole)

LIBRARIES = (
    pillow(
        "jpeg",
        "JPEG (Pillow)",
        Scale(1, 100, 1, (10, 20, 30, 45, 60, 75, 88)),
        _FORMATS("JPEG", feature="libjpeg_turbo", fixed={"optimize": True, "subsampling": "4:2:0"}),
    ),
    pillow(
        "webp",
        "WebP (Pillow)",
        Scale(0, 100, 1, (1, 10, 25, 45, 65, 80, 92)),
        _FORMATS("WEBP", feature="webp", fixed={"method": 4}),
    ),
    pillow(
        "avif",
        "AVIF (Pillow)",
        Scale(0, 100, 1, (15, 28, 40, 52, 64, 76)),
        _FORMATS("AVIF", feature="avif", fixed={"subsampling": "4:4:4", "speed": 6}),
    ),
    pillow(
        "jp2",
        "JPEG 2000 (Pillow)",
        Scale(20, 60, 0.5, (27, 29, 31, 33, 36, 39, 42)),
        PillowFormat(
            "JPEG2000",
            _decibels,
            feature="jpg_2000",
            fixed={"quality_mode": "dB", "irreversible": True, "mct": 1},
        ),
    ),
    pillow(
        "jxl",
        "JPEG XL (pillow-jxl-plugin)",
        Scale(1, 100, 1, (8, 20, 35, 50, 65, 78, 88)),
        _FORMATS("JXL", plugin="pillow_jxl", package="pillow-jxl-plugin", fixed={"effort": 7}),
    ),
    pillow(
        "heic",
        "HEIC (pillow-heif)",
        Scale(1, 100, 1, (10, 20, 28, 36, 44, 52, 60)),
        _FORMATS(
            "HEIF",
            plugin="pillow_heif",
            package="pillow-heif",
            register="register_heif_opener",
            fixed={"chroma": 444},
        ),
    ),
)
