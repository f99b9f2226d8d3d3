"""How far the networks see: what lies this far beyond a window can change what is computed in it."""

from __future__ import annotations

from jdcodec.model.config import LATENT_STRIDE, ModelConfig, Stage

#: Latent sites beyond a window that can change its hyperlatents, and its means; multiples of 4.
HYPER_HALO = 8
MEAN_HALO = 8


def denoiser_halo(config: ModelConfig) -> int:
    """Pixels beyond a window that can change the noise found in it: a multiple of the latent stride.

    Each block reaches one site further, a patch to the end of its site.
    """
    at_quarter, at_eighth = config.stem_blocks
    return _round_up(4 * 2 * at_quarter + 8 * at_eighth + 8)


def analysis_halo(config: ModelConfig) -> int:
    """Pixels of the denoised picture beyond a window that can change its latents."""
    return _round_up(_reach(config.analysis_patch, config.analysis_stages) + LATENT_STRIDE)


def synthesis_halo(config: ModelConfig) -> int:
    """Latent sites beyond a window that can change its pixels."""
    return _round_up(_reach(config.synthesis_patch, config.synthesis_stages)) // LATENT_STRIDE


def _reach(patch: int, stages: tuple[Stage, ...]) -> int:
    return sum(patch * 2**index * blocks for index, (_, blocks) in enumerate(stages))


def _round_up(pixels: int) -> int:
    return -(-pixels // LATENT_STRIDE) * LATENT_STRIDE
