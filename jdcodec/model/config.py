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
        pairs = {
            name: (int(values[name][0]), int(values[name][1])) for name in ("stem_channels", "stem_blocks")
        }
        stages = {
            name: tuple((int(channels), int(blocks)) for channels, blocks in values[name])
            for name in ("analysis_stages", "synthesis_stages")
        }
        return cls(**{**values, **pairs, **stages})


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
