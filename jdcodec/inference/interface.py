"""What a runtime must offer to code with, and the arithmetic around the networks that all of them share.

Arrays are (channels, height, width) without a batch axis, pixels (height, width, 3). Everything here is
floating point and may differ slightly between devices. What must agree exactly, the scale levels, comes from
`jdcodec.entropy.tables` and is handed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.inference.halo import analysis_halo, denoiser_halo, synthesis_halo
from jdcodec.model.config import ModelConfig

Floats = NDArray[np.float32]

#: The denoised picture waits for analysis in half precision: its rounding lies at 90 dB.
Denoised = NDArray[np.float16]

#: What pixels are delivered as: integers over their full range, or floats from 0 to 1.
PixelType = type[np.uint8] | type[np.uint16] | type[np.float32]

#: A call to come: the method, height and width of what it takes, and arguments that the result depends on.
Call = tuple[Any, ...]


class Inference(ABC):
    """A network at one quality on one device; its methods may be called from several threads at once.

    `gain`: (M,) float32, what differences from the means are multiplied by before they are rounded. `units`:
    how many units of symbols there are to a quantisation step (`EntropyTables.units`).
    """

    def __init__(self, config: ModelConfig, gain: Floats, units: int) -> None:
        self.config = config
        self.gain = gain
        self.units = units
        self.denoiser_halo = denoiser_halo(config)
        self.analysis_halo = analysis_halo(config)
        self.synthesis_halo = synthesis_halo(config)

    def prepare(self, calls: Iterable[Call]) -> None:
        """Get ready for calls to come, in the background; nothing but time depends on it."""
        return

    @abstractmethod
    def denoise(self, pixels: NDArray[Any], strength: float) -> Denoised:
        """Pixels (H, W, 3) uint8 or uint16, sides multiples of 8, less the share `strength` of their noise.

        Returns (3, H, W) float16, nominally in [0, 1] (not clamped).
        """

    @abstractmethod
    def latents(self, picture: Denoised) -> Floats:
        """Denoised picture (3, H, W), sides multiples of 16, to latents (M, H/16, W/16)."""

    @abstractmethod
    def hyperlatents(self, y: Floats) -> Floats:
        """Latents (M, H, W), sides multiples of 4, to hyperlatents (N, H/4, W/4), not rounded."""

    @abstractmethod
    def anchor_means(self, z: NDArray[np.int8]) -> Floats:
        """Hyperlatents (N, H/4, W/4) to means (M, H, W) that hold at the anchors.

        Anchors are the sites whose row + column is even. They come first: what a decoder makes of their
        symbols tells of the means of the others.
        """

    @abstractmethod
    def other_means(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        """The same for the other sites; of the symbols, (M, H, W), only those of anchors are looked at."""

    @abstractmethod
    def reconstruct_latents(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        """(M, H, W) symbols and hyperlatents to decoded latents."""

    @abstractmethod
    def picture(self, y_hat: Floats, dtype: PixelType, *, gray: bool = False) -> NDArray[Any]:
        """Decoded latents (M, H, W) to pixels (16 H, 16 W, 3) of `dtype`; `gray` averages the channels."""

    def rounded_hyperlatents(self, y: Floats, limit: int) -> NDArray[np.int8]:
        """Latents (M, H, W) to integer hyperlatents (N, H/4, W/4) in −limit … limit."""
        return np.clip(np.rint(self.hyperlatents(y)), -limit, limit).astype(np.int8)


def latent_gain(network: Mapping[str, NDArray[Any]], t: float) -> Floats:
    """(M,) gains at position t of the quality scale: `jdcodec.model.quality.QualityGain` on arrays."""
    offset, slope, bend = (network[f"gain.{name}"].astype(np.float64) for name in ("offset", "slope", "bend"))
    curve = t + np.tanh(bend) * t * (1.0 - t)
    gain: Floats = np.exp(offset + np.logaddexp(0.0, slope) * curve).astype(np.float32)
    return gain


def to_levels(picture: Floats, dtype: PixelType, *, gray: bool = False) -> NDArray[Any]:
    """A picture (3, H, W) in [0, 1] to pixels (H, W, 3) of `dtype`; `gray` averages the channels."""
    if gray:
        picture = np.broadcast_to(picture.mean(0, keepdims=True), picture.shape)
    pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
    if dtype is np.float32:
        return pixels
    levels: NDArray[Any] = np.rint(pixels * np.float32(np.iinfo(dtype).max)).astype(dtype)  # type: ignore[type-var]
    return levels
