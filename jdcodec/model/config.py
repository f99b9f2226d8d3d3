"""The sizes of a network, as one frozen value that travels in the checkpoint. No torch here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

#: Pixels a side that one latent site covers, and one hyperlatent site.
LATENT_STRIDE = 16
HYPER_STRIDE = 64

#: Range of the rate-distortion weight over the quality scale: bits per pixel + weight * 255^2 * MSE.
LAMBDA_MIN = 0.0018
LAMBDA_MAX = 0.09

#: Latents are block-transform coefficients of pixels in [0, 1], divided by this step.
LATENT_STEP = 0.175

#: Of the linear block transforms the first rows, whose coefficients are large, are computed in float32 where
#: networks run in bf16: its 8 bits of mantissa would round them to a good part of a quantisation step.
PRECISE_ROWS = 16

#: Share of the theoretical shift of rate-aware rounding (`jdcodec.codec.rounding`) in training. Encoders take
#: it where there is no noise.
ROUNDING_STRENGTH = 0.8

#: The lowest scale level with dependent quantisation, a deviation of 0.39 steps. On held-out photographs its
#: gain was the same from level 10 or 14 on, and less from 18 on; the fewer levels have it, the faster is
#: coding.
TRELLIS_LEVEL = 14

QUALITY_MIN = 1.0
QUALITY_MAX = 8.0


#: (channels, residual blocks) of a transform at one resolution.
Stage = tuple[int, int]


@dataclass(frozen=True)
class ModelConfig:
    """Widths and depths of a joint denoising and compression network.

    `stem_channels` and `stem_blocks` are those of the denoiser at 1/4 and 1/8 of the resolution (the
    blocks at 1/4 twice, on the way in and out). A transform works at 1/patch of the resolution and at
    each halving after it; `*_stages` go from fine to coarse for both.
    """

    name: str
    stem_channels: tuple[int, int]
    stem_blocks: tuple[int, int]
    analysis_patch: int
    analysis_stages: tuple[Stage, ...]
    synthesis_patch: int
    synthesis_stages: tuple[Stage, ...]
    latent_channels: int
    hyper_channels: int
    hyper_width: int

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Inverse of `to_dict`; raises KeyError, TypeError or ValueError where the fields do not fit."""
        names = {field.name for field in dataclasses.fields(cls)}
        if set(values) != names:
            raise ValueError(f"model configuration has fields {sorted(values)}, expected {sorted(names)}")
        pairs = {name: tuple(values[name]) for name in ("stem_channels", "stem_blocks")}
        stages = {
            name: tuple((channels, blocks) for channels, blocks in values[name])
            for name in ("analysis_stages", "synthesis_stages")
        }
        config = cls(**{**values, **pairs, **stages})
        config._check()
        return config

    def _check(self) -> None:
        """Raise ValueError unless a network of these sizes can be built, and is of a reasonable size."""
        stages = (*self.analysis_stages, *self.synthesis_stages)
        widths = (*self.stem_channels, *(channels for channels, _ in stages))
        widths += (self.latent_channels, self.hyper_channels, self.hyper_width)
        depths = (*self.stem_blocks, *(blocks for _, blocks in stages))
        if len(self.stem_channels) != 2 or len(self.stem_blocks) != 2:
            raise ValueError("the denoiser does not have two resolutions")
        for name, sizes, least, most in (("width", widths, 1, 768), ("depth", depths, 0, 32)):
            if not all(isinstance(size, int) and least <= size <= most for size in sizes):
                raise ValueError(f"a {name} of the network is not a whole number in {least} to {most}")
        _check_strides(self.analysis_patch, self.analysis_stages)
        _check_strides(self.synthesis_patch, self.synthesis_stages)


def _check_strides(patch: int, stages: tuple[Stage, ...]) -> None:
    if patch not in (1, 2, 4, 8, 16) or not stages or patch * 2 ** (len(stages) - 1) > LATENT_STRIDE:
        raise ValueError(f"a patch of {patch!r} and {len(stages)} stages go beyond {LATENT_STRIDE} pixels")


FAST = ModelConfig(
    name="fast",
    stem_channels=(48, 96),
    stem_blocks=(1, 4),
    analysis_patch=8,
    analysis_stages=((128, 2), (192, 3)),
    synthesis_patch=4,
    synthesis_stages=((48, 1), (96, 2), (192, 4)),
    latent_channels=320,
    hyper_channels=64,
    hyper_width=128,
)

BEST = ModelConfig(
    name="best",
    stem_channels=(64, 128),
    stem_blocks=(2, 6),
    analysis_patch=8,
    analysis_stages=((256, 6),),
    synthesis_patch=8,
    synthesis_stages=((256, 8),),
    latent_channels=320,
    hyper_channels=128,
    hyper_width=256,
)

CONFIGS = {config.name: config for config in (FAST, BEST)}


def quality_to_t(quality: float) -> float:
    """Position on the quality scale, 0 (quality 1, smallest) to 1 (quality 8, best)."""
    return (quality - QUALITY_MIN) / (QUALITY_MAX - QUALITY_MIN)


def t_to_lambda(t: float) -> float:
    """Rate-distortion weight at position t in [0, 1]: log-linear from LAMBDA_MIN to LAMBDA_MAX."""
    return float(LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** t)
