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


@dataclass(frozen=True)
class ModelConfig:
    """Widths and depths of a joint denoising and compression network.

    `stem_*` describe the denoiser at 1/2, 1/4 and 1/8 of the resolution. `patch` is the factor of the
    encoder's first pixel unshuffle; `stages` holds (channels, blocks) for 1/patch and each halving
    after it. The synthesis transform mirrors the analysis transform.
    """

    name: str
    stem_channels: tuple[int, int, int]
    stem_blocks: tuple[int, int, int]
    patch: int
    stages: tuple[tuple[int, int], ...]
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
        stem_channels, stem_blocks = tuple(values["stem_channels"]), tuple(values["stem_blocks"])
        stages = tuple((int(channels), int(blocks)) for channels, blocks in values["stages"])
        return cls(**{**values, "stem_channels": stem_channels, "stem_blocks": stem_blocks, "stages": stages})


FAST = ModelConfig(
    name="fast",
    stem_channels=(24, 48, 96),
    stem_blocks=(1, 1, 4),
    patch=4,
    stages=((48, 1), (96, 2), (192, 4)),
    latent_channels=320,
    hyper_channels=64,
    hyper_width=128,
)

BEST = ModelConfig(
    name="best",
    stem_channels=(32, 64, 128),
    stem_blocks=(1, 2, 5),
    patch=8,
    stages=((256, 6),),
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
