"""The papers' systems as the tests build them: narrow, so that one core does all of them in seconds."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch
from torch import Tensor

from jdcodec.reference import architectures, build
from jdcodec.reference.base import ReferenceModel

HAVE_COMPRESSAI = importlib.util.find_spec("compressai") is not None

needs_compressai = pytest.mark.skipif(
    not HAVE_COMPRESSAI, reason="compressai is not installed: pip install 'jdcodec[reference]'"
)

_CODEC = {"n": 16, "m": 24}
NARROW: dict[str, dict[str, Any]] = {
    "manypriors": {**_CODEC, "priors": 8},
    "hyperprior": _CODEC,
    "testolina-manypriors": {**_CODEC, "priors": 8},
    "testolina-hyperprior": _CODEC,
    "unet": {"width": 4},
    "dncnn": {"depth": 4, "width": 8},
    "dncnn-small": {"depth": 3, "width": 8},
    "unet-manypriors": {**_CODEC, "priors": 8, "width": 4},
    "guided-128": {"n": 16},
    "guided-192": {"n": 24},
    "jicdcls-128": {"n": 16},
    "jicdcls-192": {"n": 32},
    "autoencoder": {"width": 8},
    "autoencoder-gray": {"width": 8},
    "residual": {"width": 8, "blocks": 3},
    "residual-gray": {"width": 8, "blocks": 3},
}

#: Every system, those on compressai skipped where it is missing.
SYSTEMS = [
    pytest.param(name, marks=needs_compressai if system.needs_compressai else ())
    for name, system in architectures().items()
]
CODECS = [
    pytest.param(name, marks=needs_compressai)
    for name, system in architectures().items()
    if system.needs_compressai
]


def narrow(name: str) -> ReferenceModel:
    """A system of few channels, the same at each call."""
    torch.manual_seed(1)
    return build(name, **NARROW[name])


def pictures(batch: int, channels: int, height: int, width: int, seed: int = 5) -> Tensor:
    """Smooth pictures in [0, 1] with a little noise, the same for a seed."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(batch, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
    return (smooth + 0.05 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)
