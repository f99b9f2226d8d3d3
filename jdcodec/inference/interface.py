"""What a runtime must offer to code with, and the arithmetic around the networks that all of them share.

Arrays are (channels, height, width) without a batch axis, pixels (height, width, 3). Everything here is
floating point and may differ slightly between devices. What must agree exactly, the scale levels, comes from
`jdcodec.entropy.tables` and is handed in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.entropy.tables import LATENT_LIMIT
from jdcodec.inference.halo import analysis_halo, denoiser_halo, synthesis_halo
from jdcodec.model.config import ModelConfig

Floats = NDArray[np.float32]

#: The denoised picture waits for analysis in half precision: its rounding lies at 90 dB.
Denoised = NDArray[np.float16]

#: What pixels are delivered as: integers over their full range, or floats from 0 to 1.
PixelType = type[np.uint8] | type[np.uint16] | type[np.float32]

#: A magnitude above n is never rounded to less than n.
LARGEST_SHIFT = 0.5

#: A call to come: the method, height and width of what it takes, and arguments that the result depends on.
Call = tuple[Any, ...]


@dataclass(frozen=True)
class Rounding:
    """How much further than 1/2 a magnitude must be from 0 and from n to be rounded away (rate-aware).

    `by_level`: (2, 64) float32, for the step from 0 to 1 and, from magnitude 1.5 on, for further ones, by
    scale level; `by_channel`: (M,) float32. Their product, at most LARGEST_SHIFT, is the shift.
    """

    by_level: Floats
    by_channel: Floats


@dataclass(frozen=True)
class Rounded:
    """What is to be coded of latents, (M, H, W), where they belong to the sites that were asked for.

    values: v = (y − mean) · gain, in quantisation steps; elsewhere they mean nothing.
    symbols: v rounded, in units: of sign(v) · floor(|v| − shift + 1/2) steps, see `Rounding`, within
    ±LATENT_LIMIT, and 0 where the scale level is 0, and at all other sites.
    """

    values: Floats
    symbols: NDArray[np.signedinteger[Any]]


class Inference(ABC):
    """A network at one quality on one device; its methods may be called from several threads at once.

    `gain`: (M,) float32, what residuals are multiplied by before they are rounded. `units`: how many units of
    symbols there are to a quantisation step (`EntropyTables.units`). `largest_steps`: no latent is rounded to
    more.
    """

    def __init__(self, config: ModelConfig, gain: Floats, units: int) -> None:
        self.config = config
        self.gain = gain
        self.units = units
        self.largest_steps = LATENT_LIMIT // units
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
    def code_anchors(
        self, y: Floats, z: NDArray[np.int8], levels: NDArray[np.uint8], rounding: Rounding
    ) -> Rounded:
        """Differences of the latents from the means of the anchors, and symbols of the anchors.

        y: (M, H, W); z: hyperlatents (N, H/4, W/4); levels: (M, H, W) scale levels. Anchors are the sites
        whose row + column is even. They come first: what a decoder makes of their symbols tells of the means
        of the others.
        """

    @abstractmethod
    def code_others(
        self,
        y: Floats,
        z: NDArray[np.int8],
        anchors: NDArray[np.int16],
        levels: NDArray[np.uint8],
        rounding: Rounding,
    ) -> Rounded:
        """The same for the other sites; of `anchors` only the symbols of anchors are looked at."""

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
