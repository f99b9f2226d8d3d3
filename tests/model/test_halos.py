"""Halos are as wide as what can influence a window: NaN beyond the halo never reaches the core.

NaN goes wherever a value goes, however faint its influence is, so this finds what differences of pixels
would not show.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import NetworkMaker, start_on_torch

from jdcodec.inference.halo import HYPER_HALO, MEAN_HALO
from jdcodec.inference.on_torch import TorchInference
from jdcodec.model.config import CONFIGS
from jdcodec.model.entropy_model import checkerboard

#: Sites or pixels of NaN beyond the halo, on each side.
BEYOND = 16


@pytest.fixture(params=CONFIGS)
def inference(request: pytest.FixtureRequest, make_network: NetworkMaker) -> TorchInference:
    return start_on_torch(make_network(request.param), 0.5)


def island(channels: int, core: int, halo: int, beyond: int = BEYOND) -> torch.Tensor:
    """(1, channels, n, n): random in core and halo, NaN `beyond` that."""
    size = core + 2 * halo
    inside = torch.rand(1, channels, size, size, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.pad(inside, 4 * (beyond,), value=torch.nan)


def core_of(x: torch.Tensor, core: int) -> torch.Tensor:
    start = (x.shape[-1] - core) // 2
    return x[..., start : start + core, start : start + core]


def noise(inference: TorchInference, halo: int) -> torch.Tensor:
    """As in `denoise`, whose pixels are integers and cannot be NaN."""
    with torch.inference_mode():
        return core_of(inference.network.denoiser(island(3, 64, halo, beyond=64)), 64)


def latents(inference: TorchInference, halo: int) -> torch.Tensor:
    picture = island(3, 64, halo, beyond=64)[0].half().numpy()
    return core_of(torch.from_numpy(inference.latents(picture)), 4)


def hyperlatents(inference: TorchInference, halo: int) -> torch.Tensor:
    y = island(inference.config.latent_channels, 4, halo)[0].numpy()
    return core_of(torch.from_numpy(inference.hyperlatents(y)), 1)


def decoded_latents(inference: TorchInference, halo: int) -> torch.Tensor:
    """As `reconstruct_latents`, whose symbols are integers and cannot be NaN."""
    config, entropy = inference.config, inference.network.entropy
    z = island(config.hyper_channels, 1, halo // 4, beyond=4)
    offset = island(config.latent_channels, 4, halo)
    anchors = checkerboard(offset.shape[2], offset.shape[3], inference.device)
    with torch.inference_mode():
        features = entropy.features(z)
        decoded = torch.where(anchors, entropy.mean_of_anchors(features) + offset, 0.0)
        others = entropy.mean_of_others(features, decoded, inference.t) + offset
        return core_of(torch.where(anchors, decoded, others), 4)


def picture(inference: TorchInference, halo: int) -> torch.Tensor:
    y_hat = island(inference.config.latent_channels, 4, halo)[0].numpy()
    pixels = inference.picture(y_hat, np.float32)
    return core_of(torch.from_numpy(pixels).permute(2, 0, 1), 64)


#: How to compute the core, the halo in use, and a halo that is too narrow.
HALOS: dict[str, tuple[Callable[[TorchInference, int], torch.Tensor], Callable[[TorchInference], int], int]]
HALOS = {
    "denoiser": (noise, lambda inference: inference.denoiser_halo, 32),
    "analysis": (latents, lambda inference: inference.analysis_halo, 32),
    "hyperlatents": (hyperlatents, lambda inference: HYPER_HALO, 0),
    "means": (decoded_latents, lambda inference: MEAN_HALO, 4),
    "synthesis": (picture, lambda inference: inference.synthesis_halo, 3),
}


@pytest.mark.parametrize("part", HALOS)
def test_wide_enough(part: str, inference: TorchInference) -> None:
    compute, halo, _ = HALOS[part]
    assert torch.isfinite(compute(inference, halo(inference))).all()


@pytest.mark.parametrize("part", HALOS)
def test_one_that_is_too_narrow_is_seen(part: str, inference: TorchInference) -> None:
    compute, halo, narrow = HALOS[part]
    assert narrow < halo(inference)
    assert not torch.isfinite(compute(inference, narrow)).all()
