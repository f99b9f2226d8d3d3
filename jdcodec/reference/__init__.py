"""The papers' systems as trainable modules, to be trained, measured and beaten.

    model = build("manypriors")
    out = model(noisy, clean)                 # output.Output: reconstruction, likelihoods, …
    loss = training_loss(out, clean, 0.01)    # losses.training_loss
    data = model.compress(noisy)              # real bytes, one picture
    picture = model.decompress(data)
    model = load("runs/mine/checkpoint.safetensors")  # what `jdc train --arch` has trained

`docs/papers.md` says what each is and how far its numbers were reproduced. The codecs stand on compressai
(`pip install 'jdcodec[reference]'`), the denoisers on torch alone. Importing this package imports neither.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jdcodec.errors import ModelError

if TYPE_CHECKING:
    from .base import ReferenceModel


@dataclass(frozen=True)
class Architecture:
    """A system that can be built by name. `factory` is "module:callable", called with `arguments`.

    A denoiser is a system without a bitstream.
    """

    name: str
    title: str
    paper: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    needs_compressai: bool = True
    is_denoiser: bool = False
    #: Whether `forward` gives features of noisy and clean picture, and projections of both, for the losses.
    has_features: bool = False
    has_projections: bool = False


_MANYPRIORS = "Brummer & De Vleeschouwer, arXiv:2111.09172"
_HYPERPRIOR = "Ballé et al., arXiv:1802.01436, as varied by Brummer & De Vleeschouwer"
_TESTOLINA = "Testolina, Upenik & Ebrahimi, 2021"
_JDC = "Brummer & De Vleeschouwer, arXiv:2307.06233"
_GUIDED = "Cheng, Xie & Chen, arXiv:2207.10869"
_JICDCLS = "Xie, Yu, Pakdaman & Gabbouj, arXiv:2402.05582"
_DNCNN = "Zhang et al., arXiv:1608.03981"
_STUDENTS = "a student project"

_ARCHITECTURES = (
    Architecture("manypriors", "64 competing priors", _MANYPRIORS, "manypriors:ManyPriors"),
    Architecture("hyperprior", "scale hyperprior", _HYPERPRIOR, "hyperprior:ScaleHyperprior"),
    Architecture(
        "testolina-manypriors",
        "competing priors, decoder of twice the layers",
        _TESTOLINA,
        "manypriors:ManyPriors",
        {"deep_decoder": True},
    ),
    Architecture(
        "testolina-hyperprior",
        "scale hyperprior, decoder of twice the layers",
        _TESTOLINA,
        "hyperprior:ScaleHyperprior",
        {"deep_decoder": True},
    ),
    Architecture("unet", "U-Net denoiser", _JDC, "unet:UNet", needs_compressai=False, is_denoiser=True),
    Architecture(
        "dncnn",
        "residual denoiser of 17 layers",
        _DNCNN,
        "dncnn:DnCNN",
        needs_compressai=False,
        is_denoiser=True,
    ),
    Architecture(
        "dncnn-small",
        "residual denoiser of 8 layers, half as wide",
        _DNCNN,
        "dncnn:DnCNN",
        {"depth": 8, "width": 32},
        needs_compressai=False,
        is_denoiser=True,
    ),
    Architecture(
        "unet-manypriors", "U-Net denoiser, then competing priors", _JDC, "two_step:unet_manypriors"
    ),
    Architecture(
        "guided-128",
        "anchor with guided denoisers",
        _GUIDED,
        "guided:GuidedCodec",
        {"n": 128},
        has_features=True,
    ),
    Architecture(
        "guided-192",
        "anchor with guided denoisers",
        _GUIDED,
        "guided:GuidedCodec",
        {"n": 192},
        has_features=True,
    ),
    Architecture(
        "jicdcls-128",
        "multi-scale Self-ONN denoisers",
        _JICDCLS,
        "jicdcls:Jicdcls",
        {"n": 128},
        has_features=True,
        has_projections=True,
    ),
    Architecture(
        "jicdcls-192",
        "multi-scale Self-ONN denoisers",
        _JICDCLS,
        "jicdcls:Jicdcls",
        {"n": 192},
        has_features=True,
        has_projections=True,
    ),
    Architecture(
        "autoencoder",
        "denoising autoencoder",
        _STUDENTS,
        "small:DenoisingAutoencoder",
        needs_compressai=False,
        is_denoiser=True,
    ),
    Architecture(
        "autoencoder-gray",
        "denoising autoencoder, one channel",
        _STUDENTS,
        "small:DenoisingAutoencoder",
        {"channels": 1},
        needs_compressai=False,
        is_denoiser=True,
    ),
    Architecture(
        "residual",
        "residual denoiser with stochastic depth",
        _STUDENTS,
        "small:ResidualDenoiser",
        needs_compressai=False,
        is_denoiser=True,
    ),
    Architecture(
        "residual-gray",
        "residual denoiser with stochastic depth, one channel",
        _STUDENTS,
        "small:ResidualDenoiser",
        {"channels": 1},
        needs_compressai=False,
        is_denoiser=True,
    ),
)


def architectures() -> dict[str, Architecture]:
    """All systems by name, in the order of `docs/papers.md`."""
    return {architecture.name: architecture for architecture in _ARCHITECTURES}


def find(name: str) -> Architecture:
    """The system of a name; raises ModelError with the nearest known one."""
    known = architectures()
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise ModelError(f"unknown architecture {name!r}: {hint}")
    return known[name]


def build(name: str, **changes: Any) -> ReferenceModel:
    """A freshly initialised system by name, in training mode, float32 on the CPU.

    `changes` are widths other than the paper's, by the names in the constructor of its class.
    Raises ModelError for an unknown name, and where compressai is needed and missing.
    """
    architecture = find(name)
    module, _, factory = architecture.factory.partition(":")
    make = getattr(importlib.import_module(f".{module}", __name__), factory)
    model: ReferenceModel = make(**{**architecture.arguments, **changes})
    return model


def load(path: str | Path) -> ReferenceModel:
    """The system of a checkpoint of `jdc train --arch`: averaged weights, in evaluation mode, on the CPU.

    Entropy tables are made at the first `compress` or `decompress`. Raises ModelError where the file holds no
    such system, and where compressai is needed and missing.
    """
    from .stored import load_stored

    return load_stored(Path(path))
