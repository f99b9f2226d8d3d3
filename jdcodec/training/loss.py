"""The rate-distortion loss of joint denoising and compression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from jdcodec.model.config import LAMBDA_MAX, LAMBDA_MIN
from jdcodec.model.network import TrainingOutput

from .similarity import ms_ssim

_LAMBDA_MIDDLE = (LAMBDA_MIN * LAMBDA_MAX) ** 0.5

#: compressai's weights for MS-SSIM (2.4 … 220) are 1222 to 1333 times those for MSE at like rates.
MS_SSIM_SCALE = 1280.0

#: Below this mean squared error (35 dB) the stem gains little by getting better still. With a lower one it
#: learns to leave what it does not know alone, the noise of unknown cameras included.
_STEM_FLOOR = 3e-4


@dataclass(frozen=True)
class Loss:
    """`total` to descend; per picture (B,): bits per pixel, MSE on [0, 1], MSE of the denoiser alone.

    What a run does not train is empty. `terms`: further terms of the total by name, before their weights.
    """

    total: Tensor
    bpp: Tensor
    mse: Tensor
    stem_mse: Tensor
    terms: Mapping[str, Tensor] = field(default_factory=dict)


def stem_loss(denoised: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
    """(mean log MSE, which weighs pictures as PSNR does; MSE of each picture)."""
    mse = (denoised - clean).square().mean((1, 2, 3))
    return torch.log(mse + _STEM_FLOOR).mean(), mse.detach()


def rate_distortion_loss(
    decoded: Tensor, bits: Tensor, target: Tensor, t: Tensor, distortion: str = "mse"
) -> tuple[Tensor, Tensor, Tensor]:
    """(mean of weighted bpp + lambda·255²·MSE; bpp and MSE of each picture).

    decoded, target: (B, 3, H, W) in [0, 1]; bits and t: (B,). With `distortion` "ms-ssim" the loss is bpp +
    lambda·1280·(1 − MS-SSIM), on pictures of at least 161 pixels a side. Each picture's loss is
    divided by the geometric mean of what is usual at its lambda (the loss goes about with the root of
    lambda) and what it is, so that neither high rates nor noisy pictures own the gradient.
    """
    lam = LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** t
    bpp = bits / (target.shape[2] * target.shape[3])
    mse = (decoded - target).square().mean((1, 2, 3))
    loss = bpp + lam * (
        255**2 * mse if distortion == "mse" else MS_SSIM_SCALE * (1 - ms_ssim(decoded, target))
    )
    return (_balance(loss, lam) * loss).mean(), bpp.detach(), mse.detach()


def symbol_loss(
    bits: Tensor, smooth_bits: Tensor, error_bits: Tensor, pixels: int, t: Tensor
) -> tuple[Tensor, Tensor]:
    """(mean of weighted bits, smooth bits and worth of the squared error in bits; bpp of each picture).

    All (B,). `smooth_bits` stand for `bits` where those have no gradient: they do not count in the weights,
    which are those of `rate_distortion_loss`.
    """
    lam = LAMBDA_MIN * (LAMBDA_MAX / LAMBDA_MIN) ** t
    weight = _balance((bits + error_bits) / pixels, lam)
    total = weight * (bits + smooth_bits + error_bits) / pixels
    return total.mean(), (bits / pixels).detach()


def _balance(loss: Tensor, lam: Tensor) -> Tensor:
    """What to multiply each picture's loss with, (B,)."""
    usual = (lam / _LAMBDA_MIDDLE).sqrt()
    return torch.rsqrt(usual * torch.maximum(loss.detach(), 0.2 * usual))


def joint_loss(
    out: TrainingOutput,
    noisy: Tensor,
    clean: Tensor,
    strength: Tensor,
    t: Tensor,
    stem_weight: float,
    distortion: str = "mse",
) -> Loss:
    """Rate and distortion to the scene that the strength asks for, plus the stem's own log MSE.

    noisy, clean: (B, 3, H, W) in [0, 1]; strength a: the target is clean + (1 − a)·(noisy − clean).
    """
    target = clean + (1 - strength)[:, None, None, None] * (noisy - clean)
    bits = out.latent_bits + out.hyper_bits
    coding, bpp, mse = rate_distortion_loss(out.decoded, bits, target, t, distortion)
    denoising, stem_mse = stem_loss(out.denoised, clean)
    return Loss(coding + stem_weight * denoising, bpp, mse, stem_mse)
