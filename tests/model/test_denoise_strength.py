"""The denoise strength is the share of the predicted noise that is taken away."""

from __future__ import annotations

import torch
from conftest import NetworkMaker

from jdcodec.model.inference import Inference


def test_share_of_the_noise(make_network: NetworkMaker) -> None:
    inference = Inference(make_network("fast"), 0.5, torch.float32)
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    noise = picture - inference.denoise(picture, 1.0)
    assert noise.abs().max() > 0.01
    torch.testing.assert_close(inference.denoise(picture, 0.25), picture - 0.25 * noise)
    assert inference.denoise(picture, 0.0) is picture


def test_sees_no_quality(make_network: NetworkMaker) -> None:
    """The denoiser comes before the codec: what it takes away is the same at every quality."""
    network = make_network("fast")
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    low, high = (Inference(network, t, torch.float32).denoise(picture, 1.0) for t in (0.0, 1.0))
    torch.testing.assert_close(low, high, atol=0, rtol=0)
