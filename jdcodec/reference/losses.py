"""The losses that the papers train their systems with, on what `forward` returns."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .output import Output

#: Cheng, Xie & Chen: weight of the L1 distance to the clean picture's features.
GUIDANCE_WEIGHT = 3.0
#: JICDCLS: weight and temperature of the contrastive term.
CONTRASTIVE_WEIGHT = 0.5
TEMPERATURE = 0.07


def bits_per_pixel(output: Output) -> Tensor:
    """Rate of each picture, (B,), from its likelihoods; zero for a denoiser."""
    picture = output.reconstruction
    bits = picture.new_zeros(picture.shape[0])
    for likelihood in output.likelihoods.values():
        bits = bits - torch.log2(likelihood).flatten(1).sum(1)
    return bits / (picture.shape[2] * picture.shape[3])


def guidance_loss(output: Output) -> Tensor:
    """Mean absolute difference between the features of noisy and clean picture, summed over scales."""
    loss = output.reconstruction.new_zeros(())
    for noisy, clean in zip(output.features, output.clean_features):
        loss = loss + F.l1_loss(noisy, clean)
    return loss


def contrastive_loss(output: Output) -> Tensor:
    """InfoNCE (van den Oord et al., arXiv:1807.03748) over the batch; zero without projections.

    A noisy picture's positive is its own clean one; the other clean pictures of the batch are negatives.
    """
    if output.projections is None:
        return output.reconstruction.new_zeros(())
    noisy, clean = output.projections
    target = torch.arange(len(noisy), device=noisy.device)
    return F.cross_entropy(noisy @ clean.T / TEMPERATURE, target)


def training_loss(output: Output, target: Tensor, weight: float) -> Tensor:
    """bpp + weight·255²·MSE + what else the system was published with. target: (B, C, H, W) in [0, 1].

    weight is compressai's lambda. Brummer & De Vleeschouwer's, on MSE of [0, 1] pixels, is 65025 times it.
    """
    distortion = 255.0**2 * F.mse_loss(output.reconstruction, target)
    return (
        bits_per_pixel(output).mean()
        + weight * distortion
        + GUIDANCE_WEIGHT * guidance_loss(output)
        + CONTRASTIVE_WEIGHT * contrastive_loss(output)
    )
