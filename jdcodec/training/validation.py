"""Estimated rate and quality on held-out crops, clean and noisy, the noise of kinds not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .index import PairIndex

if TYPE_CHECKING:
    from .task import Task

#: Crops to measure, and to show.
_COUNT, _SHOWN = 12, 4


class Validation:
    """Fixed crops, clean and noisy, each (N, 3, H, W) in [0, 1] with sides that are multiples of 64."""

    def __init__(self, clean: Tensor, noisy: Tensor, device: torch.device) -> None:
        self.clean, self.noisy = clean.to(device), noisy.to(device)

    @classmethod
    def of_photographs(
        cls, photographs: Sequence[Tensor], device: torch.device, crop: int = 256
    ) -> Validation:
        """Centres of photographs (H, W, 3) uint8, with white Gaussian noise, every second blurred 2×2."""
        generator = torch.Generator().manual_seed(0)
        crops = []
        for photograph in photographs[:_COUNT]:
            top, left = (photograph.shape[0] - crop) // 2, (photograph.shape[1] - crop) // 2
            crops.append(photograph[top : top + crop, left : left + crop].permute(2, 0, 1).cpu())
        clean = torch.stack(crops).float() / 255
        white = torch.randn(clean.shape, generator=generator)
        smooth = (white + white.roll(1, 2) + white.roll(1, 3) + white.roll((1, 1), (2, 3))) / 2
        sigma = torch.linspace(8, 40, len(crops))[:, None, None, None] / 255
        blurred = torch.arange(len(crops))[:, None, None, None] % 2 == 0
        noisy = (clean + sigma * torch.where(blurred, smooth, white)).clamp(0, 1)
        return cls(clean, torch.round(noisy * 255) / 255, device)

    @classmethod
    def of_pairs(cls, pairs: PairIndex, device: torch.device) -> Validation:
        """Crops of an index, spread evenly over it."""
        count = min(_COUNT, len(pairs))
        both = [pairs.pair(number * len(pairs) // count) for number in range(count)]
        noisy, clean = (torch.stack(list(side)).permute(0, 3, 1, 2).float() / 255 for side in zip(*both))
        return cls(clean, noisy, device)

    @torch.no_grad()
    def sheet(self, task: Task) -> Tensor:
        """Noisy, decoded at the middle quality or denoised, and clean: (rows · H, 3 · W, 3) uint8."""
        noisy, clean = self.noisy[:_SHOWN], self.clean[:_SHOWN]
        if task.rates:
            picture: Tensor | None = task.decode(noisy, task.rates[len(task.rates) // 2][1])[0]
        else:
            picture = task.denoise(noisy)
        assert picture is not None
        rows = torch.cat((noisy, picture.clamp(0, 1), clean), dim=3)  # (N, 3, H, 3 W)
        return (rows.permute(0, 2, 3, 1).flatten(0, 1) * 255).round().to(torch.uint8).cpu()

    @torch.no_grad()
    def measure(self, task: Task) -> dict[str, list[float]]:
        """Per rate of the task [bpp, PSNR in dB], clean and noisy, and a mean RD cost of both.

        Of a network with a denoiser the PSNR that it reaches alone, [clean, noisy], as "stem".
        """
        torch.manual_seed(0)
        result: dict[str, list[float]] = {}
        costs = []
        middle = task.rates[len(task.rates) // 2][2] if task.rates else 1.0
        for name, pictures in (("clean", self.clean), ("noisy", self.noisy)):
            for label, t, lam in task.rates:
                bpp, mse = self._rate_and_mse(task, pictures, t)
                result[f"{name}@{label}"] = [round(float(bpp.mean()), 4), _mean_psnr(mse)]
                costs.append(float((bpp + lam * 255**2 * mse).mean()) / (lam / middle) ** 0.5)
        stem = [self._denoised_psnr(task, pictures) for pictures in (self.clean, self.noisy)]
        result |= {"stem": [psnr for psnr in stem if psnr is not None]} if None not in stem else {}
        return result | ({"cost": [round(sum(costs) / len(costs), 4)]} if costs else {})

    def _rate_and_mse(self, task: Task, pictures: Tensor, t: float) -> tuple[Tensor, Tensor]:
        rates, errors = [], []
        for picture, clean in zip(torch.split(pictures, 4), torch.split(self.clean, 4)):
            decoded, bits = task.decode(picture, t)
            rates.append(bits / (picture.shape[2] * picture.shape[3]))
            decoded = (decoded.clamp(0, 1) * 255).round() / 255
            errors.append((decoded - clean).square().mean((1, 2, 3)))
        return torch.cat(rates), torch.cat(errors)

    def _denoised_psnr(self, task: Task, pictures: Tensor) -> float | None:
        errors = []
        for picture, clean in zip(torch.split(pictures, 4), torch.split(self.clean, 4)):
            denoised = task.denoise(picture)
            if denoised is None:
                return None
            errors.append((denoised - clean).square().mean((1, 2, 3)))
        return _mean_psnr(torch.cat(errors))


def _mean_psnr(mse: Tensor) -> float:
    return round(float((-10 * torch.log10(mse + 1e-9)).mean()), 3)
