"""Denoise first, then compress: the usual two-step rival, as `DENOISER+CODEC` for any codec under test.

Each denoiser is blind: it judges the noise from the picture, as a codec has to.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import numpy as np
import numpy.typing as npt

from .codec import Codec, Coded, Cost, Scale, Unavailable, guarded
from .memory import measured_warm
from .metrics import Pixels

Floats = npt.NDArray[np.float32]

KEPT_PICTURES = 4
"""A picture is denoised once for all codecs and qualities; this many results are kept at a time."""


@dataclass(frozen=True)
class Denoiser:
    """A denoiser of (H, W, 3) uint8 sRGB pictures. `load` returns its version or raises Unavailable.

    `compiled` as in `libraries.Library`.
    """

    name: str
    title: str
    load: Callable[[], str]
    denoise: Callable[[Pixels], Pixels]
    compiled: Callable[[], int] = lambda: 0
    _kept: dict[bytes, tuple[Pixels, Cost]] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def run(self, pixels: Pixels) -> tuple[Pixels, Cost]:
        """The denoised picture and what denoising cost, even where the result was kept from before."""
        key = hashlib.sha256(pixels.tobytes()).digest()
        with self._lock:
            if key not in self._kept:
                result = guarded(
                    lambda: measured_warm(lambda: self.denoise(pixels), self.compiled), self.name
                )
                while len(self._kept) >= KEPT_PICTURES:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = result
            return self._kept[key]


@dataclass(frozen=True)
class DenoiseFirst:
    """A codec under test behind a denoiser; its encoding cost is that of both."""

    denoiser: Denoiser
    codec: Codec

    @property
    def name(self) -> str:
        """As in `--vs`: "nlm+jxl"."""
        return f"{self.denoiser.name}+{self.codec.name}"

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.denoiser.title}, then {self.codec.title}"

    @property
    def kind(self) -> str:
        """The codec's kind; the denoiser always runs in this process."""
        return self.codec.kind

    @property
    def scale(self) -> Scale:
        """The codec's scale."""
        return self.codec.scale

    def prepare(self) -> str:
        """Versions of both. Raises Unavailable where either is missing."""
        return f"{self.denoiser.load()}, {self.codec.prepare()}"

    def command(self, quality: float) -> str:
        """The codec's commands after the denoiser's name."""
        return f"{self.denoiser.name}(image), then {self.codec.command(quality)}"

    def code(self, pixels: Pixels, quality: float) -> Coded:
        """Denoise, encode, decode. Raises CodecFailure."""
        clean, cost = self.denoiser.run(pixels)
        coded = self.codec.code(clean, quality)
        return replace(coded, encode=cost + coded.encode)


def _to_float(pixels: Pixels) -> Floats:
    return pixels.astype(np.float32) / 255


def _to_pixels(values: Floats) -> Pixels:
    pixels: Pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return pixels


def _sigma(x: Floats) -> float:
    """Noise level on [0, 1], mean over channels: median of the finest wavelet details (Donoho 1994)."""
    from skimage.restoration import estimate_sigma

    return float(np.mean(estimate_sigma(x, channel_axis=-1)))


def _load_nlm() -> str:
    try:
        import skimage.restoration  # noqa: F401  (only asks whether it is there)
    except ImportError as error:
        raise Unavailable("nlm: install scikit-image (pip install 'jdcodec[bench]')") from error
    return f"scikit-image {version('scikit-image')}"


def _nlm(pixels: Pixels) -> Pixels:
    """Non-local means (Buades, Coll & Morel 2005), scikit-image's fast variant as it recommends."""
    from skimage.restoration import denoise_nl_means

    x = _to_float(pixels)
    sigma = _sigma(x)
    if sigma == 0:
        return pixels
    return _to_pixels(
        denoise_nl_means(
            x, h=0.8 * sigma, sigma=sigma, patch_size=5, patch_distance=6, fast_mode=True, channel_axis=-1
        )
    )


def _load_bm3d() -> str:
    try:
        import bm3d  # noqa: F401
        import skimage.restoration  # noqa: F401
    except ImportError as error:
        raise Unavailable("bm3d: pip install bm3d scikit-image (free for non-commercial use only)") from error
    return f"bm3d {version('bm3d')}"


def _bm3d(pixels: Pixels) -> Pixels:
    """Colour BM3D (Dabov et al. 2007), the authors' package, at the noise level that it is told."""
    from bm3d import bm3d_rgb

    x = _to_float(pixels)
    sigma = _sigma(x)
    return pixels if sigma == 0 else _to_pixels(bm3d_rgb(x, sigma))


def classic_denoisers() -> tuple[Denoiser, ...]:
    """Denoisers that are not ours, each with an empty store of kept pictures."""
    return (
        Denoiser("nlm", "Non-local means", _load_nlm, _nlm),
        Denoiser("bm3d", "BM3D", _load_bm3d, _bm3d),
    )
