"""Estimated rate and quality on held-out photographs, clean and with noise of kinds not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from jdcodec.model.config import t_to_lambda
from jdcodec.model.network import JointCodec

_POSITIONS = (0.0, 0.5, 1.0)


class Validation:
    """Fixed crops of held-out photographs. The noise is white Gaussian blurred by a 2×2 box, then white."""

    def __init__(self, photographs: Sequence[Tensor], device: torch.device, crop: int = 256) -> None:
        generator = torch.Generator().manual_seed(0)
        crops = []
        for photograph in photographs[:12]:
            top, left = (photograph.shape[0] - crop) // 2, (photograph.shape[1] - crop) // 2
            crops.append(photograph[top : top + crop, left : left + crop].permute(2, 0, 1).cpu())
        clean = torch.stack(crops).float() / 255
        white = torch.randn(clean.shape, generator=generator)
        smooth = (white + white.roll(1, 2) + white.roll(1, 3) + white.roll((1, 1), (2, 3))) / 2
        sigma = torch.linspace(8, 40, len(crops))[:, None, None, None] / 255
        blurred = torch.arange(len(crops))[:, None, None, None] % 2 == 0
        noisy = (clean + sigma * torch.where(blurred, smooth, white)).clamp(0, 1)
        self.clean, self.noisy = clean.to(device), (torch.round(noisy * 255) / 255).to(device)

    @torch.no_grad()
    def measure(self, model: JointCodec) -> dict[str, list[float]]:
        """Per quality position 0, 1/2, 1: [bpp, PSNR in dB], clean and noisy, and a mean RD cost of both."""
        torch.manual_seed(0)
        result: dict[str, list[float]] = {}
        costs = []
        for name, pictures in (("clean", self.clean), ("noisy", self.noisy)):
            for position in _POSITIONS:
                bpp, mse = self._rate_and_mse(model, pictures, position)
                result[f"{name}@{position:g}"] = [round(float(bpp.mean()), 4), _mean_psnr(mse)]
                lam = t_to_lambda(position)
                costs.append(float((bpp + lam * 255**2 * mse).mean()) / (lam / t_to_lambda(0.5)) ** 0.5)
        stem = [_mean_psnr(self._stem_mse(model, pictures)) for pictures in (self.clean, self.noisy)]
        return result | {"stem": stem, "cost": [round(sum(costs) / len(costs), 4)]}

    def _rate_and_mse(self, model: JointCodec, pictures: Tensor, position: float) -> tuple[Tensor, Tensor]:
        rates, errors = [], []
        for picture, clean in zip(torch.split(pictures, 4), torch.split(self.clean, 4)):
            ones = torch.ones(len(picture), device=picture.device)
            with torch.autocast(picture.device.type, dtype=torch.bfloat16):
                out = model(picture, ones, position * ones)
            rates.append((out.latent_bits + out.hyper_bits) / (picture.shape[2] * picture.shape[3]))
            decoded = (out.decoded.clamp(0, 1) * 255).round() / 255
            errors.append((decoded - clean).square().mean((1, 2, 3)))
        return torch.cat(rates), torch.cat(errors)

    def _stem_mse(self, model: JointCodec, pictures: Tensor) -> Tensor:
        errors = []
        for picture, clean in zip(torch.split(pictures, 4), torch.split(self.clean, 4)):
            with torch.autocast(picture.device.type, dtype=torch.bfloat16):
                denoised = picture - model.denoiser(picture).float()
            errors.append((denoised - clean).square().mean((1, 2, 3)))
        return torch.cat(errors)


def _mean_psnr(mse: Tensor) -> float:
    return round(float((-10 * torch.log10(mse + 1e-9)).mean()), 3)
