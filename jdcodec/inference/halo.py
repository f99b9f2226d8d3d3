"""How far the networks see: what lies this far beyond a window can change what is computed in it.

Each block reaches one site further; a convolution to half the resolution takes in two sites whole.
"""

from __future__ import annotations

from jdcodec.model.config import LATENT_STRIDE, ModelConfig

#: Latent sites beyond a window that can change its hyperlatents, and its means; multiples of 4.
HYPER_HALO = 8
MEAN_HALO = 8


def denoiser_halo(config: ModelConfig) -> int:
    """Pixels beyond a window that can change the noise found in it: a multiple of the latent stride."""
    at_quarter, at_eighth = config.stem_blocks
    within = _halved(at_quarter) + at_eighth
    return _round_up(4 * (2 * within + at_quarter))


def analysis_halo(config: ModelConfig) -> int:
    """Pixels of the denoised picture beyond a window that can change its latents."""
    (_, sites), *coarser = config.analysis_stages
    for _, blocks in coarser:
        sites = _halved(sites) + blocks
    return _round_up(config.analysis_patch * 2 ** len(coarser) * sites)


def synthesis_halo(config: ModelConfig) -> int:
    """Latent sites beyond a window that can change its pixels."""
    reach = sum(
        config.synthesis_patch * 2**index * blocks
        for index, (_, blocks) in enumerate(config.synthesis_stages)
    )
    return _round_up(reach) // LATENT_STRIDE


def _halved(sites: int) -> int:
    """Sites of half the resolution that so many at the edge of a window are part of."""
    return -(-sites // 2)


def _round_up(pixels: int) -> int:
    return -(-pixels // LATENT_STRIDE) * LATENT_STRIDE
