"""MS-SSIM in torch, differentiable: a loss, and the measure that thresholds on noisy crops use."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Wang, Simoncelli & Bovik, "Multiscale structural similarity for image quality assessment", 2003.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2

#: The window must fit the coarsest of five scales: (11 − 1)·2⁴ + 1.
SMALLEST_SIDE = 161


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """MS-SSIM of each picture, (B,), at most 1: mean over channels of (B, C, H, W) pictures in [0, 1].

    As pytorch-msssim computes it: an 11-tap Gaussian of σ 1.5 without padding, five scales by 2×2 means,
    negative terms taken as 0. H and W must be at least SMALLEST_SIDE.
    """
    taps = torch.arange(_WINDOW, device=x.device, dtype=torch.float32) - _WINDOW // 2
    window = torch.exp(-(taps**2) / (2 * _SIGMA**2))
    window = (window / window.sum()).repeat(x.shape[1], 1, 1, 1)  # (C, 1, 1, 11)
    x, y = x.float(), y.float()
    result = torch.ones(x.shape[:2], device=x.device)
    for scale, weight in enumerate(_WEIGHTS):
        if scale:
            padding = [side % 2 for side in x.shape[2:]]
            x, y = F.avg_pool2d(x, 2, padding=padding), F.avg_pool2d(y, 2, padding=padding)
        similarity, contrast = _ssim(x, y, window)
        term = similarity if scale == len(_WEIGHTS) - 1 else contrast
        # A floor above 0 keeps the gradient of the power finite.
        result = result * term.clamp_min(1e-6) ** weight
    return result.mean(1)


def _ssim(x: Tensor, y: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
    """(SSIM, its contrast-and-structure part), each (B, C)."""
    mean_x, mean_y = _blur(x, window), _blur(y, window)
    variance_x = _blur(x * x, window) - mean_x**2
    variance_y = _blur(y * y, window) - mean_y**2
    covariance = _blur(x * y, window) - mean_x * mean_y
    contrast = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return (luminance * contrast).mean((2, 3)), contrast.mean((2, 3))


def _blur(x: Tensor, window: Tensor) -> Tensor:
    channels = x.shape[1]
    with torch.autocast(x.device.type, enabled=False):  # variances are small differences
        return F.conv2d(F.conv2d(x, window, groups=channels), window.mT, groups=channels)
