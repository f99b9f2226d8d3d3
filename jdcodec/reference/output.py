"""What a system's forward pass returns, the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Output:
    """Result of one pass over a batch of B pictures.

    reconstruction: (B, C, H, W), nominally in [0, 1], not clamped.
    likelihoods: probability of each coded symbol, (B, …) each; their −log2 summed is the rate in bits.
        Empty for a denoiser.
    features, clean_features: what the guided systems compare, one pair a scale; `clean_features` is empty
        unless the pass was given the clean picture.
    projections: for the contrastive loss, (B, D) unit vectors of the noisy and the clean picture.
    """

    reconstruction: Tensor
    likelihoods: Mapping[str, Tensor]
    features: tuple[Tensor, ...] = ()
    clean_features: tuple[Tensor, ...] = ()
    projections: tuple[Tensor, Tensor] | None = None
