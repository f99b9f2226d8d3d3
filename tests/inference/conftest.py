"""Networks of several shapes, and inputs for all that they compute."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from conftest import NetworkMaker
from numpy.typing import NDArray

from jdcodec.model.config import CONFIGS, ModelConfig
from jdcodec.model.network import JointCodec

#: Depths and patches that neither shipped model has: transforms from one stage to all five.
ODD = ModelConfig(
    name="odd",
    stem_channels=(4, 12),
    stem_blocks=(0, 1),
    analysis_patch=1,
    analysis_stages=((4, 1), (5, 0), (6, 1), (7, 0), (8, 2)),
    synthesis_patch=16,
    synthesis_stages=((9, 1),),
    latent_channels=20,
    hyper_channels=3,
    hyper_width=6,
)

NETWORKS = (*CONFIGS, "odd")


@lru_cache
def odd_network() -> JointCodec:
    torch.set_num_threads(1)
    torch.manual_seed(2)
    network = JointCodec(ODD)
    for path, parameter in network.named_parameters():
        if not path.endswith(".linear"):
            parameter.data += 0.05 * torch.randn_like(parameter)
    return network.requires_grad_(False).eval()


@pytest.fixture(scope="session", params=NETWORKS)
def network(request: pytest.FixtureRequest, make_network: NetworkMaker) -> JointCodec:
    """A narrow network with random parameters: deep as `fast`, deep as `best`, and one of odd depths."""
    return odd_network() if request.param == "odd" else make_network(request.param)


class Inputs:
    """Random inputs of a network for a picture of height × width pixels."""

    def __init__(self, config: ModelConfig, height: int, width: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        sites = height // 16, width // 16
        self.pixels: NDArray[np.uint8] = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        self.deep_pixels: NDArray[np.uint16] = rng.integers(0, 65536, (height, width, 3)).astype(np.uint16)
        self.denoised: NDArray[np.float16] = rng.uniform(0, 1, (3, height, width)).astype(np.float16)
        self.y = self._normal(rng, (config.latent_channels, *sites))
        self.z = rng.integers(-9, 10, (config.hyper_channels, height // 64, width // 64)).astype(np.int8)
        self.symbols: NDArray[np.int16] = rng.integers(-3, 4, self.y.shape).astype(np.int16)

    @staticmethod
    def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        return rng.standard_normal(shape, np.float32)
