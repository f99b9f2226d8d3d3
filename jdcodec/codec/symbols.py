"""Picture to integer symbols and back, window by window, with the network of `jdcodec.model`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from jdcodec.codec.rounding import rounding_shifts
from jdcodec.codec.windows import Window, cover
from jdcodec.container import TileRect
from jdcodec.entropy import EntropyTables
from jdcodec.entropy.coder import LATENT_LIMIT
from jdcodec.entropy.tables import HYPER_LIMIT, QUALITY_STEPS
from jdcodec.model.config import HYPER_STRIDE, LATENT_STRIDE
from jdcodec.model.inference import HYPER_HALO, MEAN_HALO, Inference

#: Pixels that a window holds at most, halo included: the networks need about 60 bytes for each.
WINDOW_PIXELS = 5_000_000

#: What pixels are delivered as: integers over their full range, or floats from 0 to 1.
PixelType = type[np.uint8] | type[np.uint16] | type[np.float32]

_SITES = HYPER_STRIDE // LATENT_STRIDE


@dataclass(frozen=True)
class Symbols:
    """What a file's tiles code: hyperlatents z (N, h, w) int8 and latents y (M, 4 h, 4 w) int16."""

    z: NDArray[np.int8]
    y: NDArray[np.int16]

    @classmethod
    def empty(cls, tables: EntropyTables, coded_height: int, coded_width: int) -> Symbols:
        rows, columns = coded_height // HYPER_STRIDE, coded_width // HYPER_STRIDE
        return cls(
            np.zeros((tables.hyper_channels, rows, columns), np.int8),
            np.zeros((tables.latent_channels, _SITES * rows, _SITES * columns), np.int16),
        )

    def tile(self, rect: TileRect) -> Symbols:
        """The symbols of one tile, as views."""
        return Symbols(_crop(self.z, rect, HYPER_STRIDE), _crop(self.y, rect, LATENT_STRIDE))


def _crop(grid: NDArray[Any], rect: TileRect, stride: int) -> NDArray[Any]:
    rows = slice(rect.y // stride, (rect.y + rect.height) // stride)
    return grid[:, rows, rect.x // stride : (rect.x + rect.width) // stride]


def picture_to_symbols(
    pixels: NDArray[Any],
    inference: Inference,
    tables: EntropyTables,
    *,
    strength: float,
    quality_step: int,
    window_pixels: int = WINDOW_PIXELS,
) -> Symbols:
    """Pixels (H, W, 3) uint8 or uint16, sRGB, to symbols; `strength` 0…1 is the share of noise removed."""
    y = picture_to_latents(pixels, inference, strength=strength, window_pixels=window_pixels)
    return latents_to_symbols(y, inference, tables, quality_step=quality_step, window_pixels=window_pixels)


def picture_to_latents(
    pixels: NDArray[Any], inference: Inference, *, strength: float, window_pixels: int = WINDOW_PIXELS
) -> torch.Tensor:
    """Pixels (H, W, 3) to latents (1, M, h, w) float32 on the CPU, not rounded; 16 h × 16 w covers them."""
    coded = _coded(pixels.shape[0]), _coded(pixels.shape[1])
    channels = inference.network.config.latent_channels
    y = torch.empty(1, channels, coded[0] // LATENT_STRIDE, coded[1] // LATENT_STRIDE)
    for window in cover(*coded, align=HYPER_STRIDE, halo=inference.analysis_halo, budget=window_pixels):
        x = inference.denoise(_picture(pixels, window, inference.device), strength)
        latents = inference.latents(x)
        rows, columns = (slice(s.start // LATENT_STRIDE, s.stop // LATENT_STRIDE) for s in window.core)
        inner = (slice(s.start // LATENT_STRIDE, s.stop // LATENT_STRIDE) for s in window.inner())
        y[:, :, rows, columns] = latents[:, :, *inner].cpu()
    return y


def latents_to_symbols(
    y: torch.Tensor,
    inference: Inference,
    tables: EntropyTables,
    *,
    quality_step: int,
    window_pixels: int = WINDOW_PIXELS,
) -> Symbols:
    """Latents (1, M, h, w) of a whole picture, not rounded yet, to symbols: the cheaper half of the work."""
    sites = y.shape[2:]
    symbols = Symbols.empty(tables, sites[0] * LATENT_STRIDE, sites[1] * LATENT_STRIDE)
    budget = window_pixels // LATENT_STRIDE**2
    for window in cover(*sites, align=_SITES, halo=HYPER_HALO, budget=budget):
        z = inference.hyperlatents(y[:, :, *window.outer].to(inference.device), HYPER_LIMIT)
        symbols.z[:, *_coarser(window.core)] = z[0].cpu().numpy()[:, *_coarser(window.inner())]
    shifts = _rounding(tables, inference, quality_step)
    for window in cover(*sites, align=_SITES, halo=MEAN_HALO, budget=budget):
        z_window = symbols.z[:, *_coarser(window.outer)]
        levels = torch.from_numpy(tables.scale_indices(z_window, quality_step))[None]
        residual = inference.residuals(
            y[:, :, *window.outer].to(inference.device),
            torch.from_numpy(z_window)[None].to(inference.device),
            levels.to(inference.device),
            shifts,
            LATENT_LIMIT,
        )
        symbols.y[:, *window.core] = residual[0].cpu().numpy()[:, *window.inner()]
    return symbols


def symbols_to_picture(
    symbols: Symbols,
    inference: Inference,
    size: tuple[int, int],
    dtype: PixelType,
    *,
    gray: bool = False,
    window_pixels: int = WINDOW_PIXELS,
) -> NDArray[Any]:
    """Symbols to pixels (height, width, 3) of `dtype`; `size` is (height, width) as displayed.

    `gray`: the three channels are averaged, so that a gray photo comes back without a tint.
    """
    y_hat = symbols_to_latents(symbols, inference, window_pixels=window_pixels)
    return latents_to_picture(y_hat, inference, size, dtype, gray=gray, window_pixels=window_pixels)


def symbols_to_latents(
    symbols: Symbols, inference: Inference, *, window_pixels: int = WINDOW_PIXELS
) -> torch.Tensor:
    """Symbols to decoded latents (1, M, h, w) float32, on the CPU.

    Where the symbols are a part of a picture's, latents within MEAN_HALO of its cut edges are not exact.
    """
    y_hat = torch.empty(1, *symbols.y.shape, dtype=torch.float32)
    budget = window_pixels // LATENT_STRIDE**2
    for window in cover(*y_hat.shape[2:], align=_SITES, halo=MEAN_HALO, budget=budget):
        residual = torch.from_numpy(symbols.y[:, *window.outer])[None].to(inference.device)
        z = torch.from_numpy(symbols.z[:, *_coarser(window.outer)])[None].to(inference.device)
        decoded = inference.reconstruct_latents(residual, z)
        y_hat[:, :, *window.core] = decoded[:, :, *window.inner()].cpu()
    return y_hat


def latents_to_picture(
    y_hat: torch.Tensor,
    inference: Inference,
    size: tuple[int, int],
    dtype: PixelType,
    *,
    gray: bool = False,
    window_pixels: int = WINDOW_PIXELS,
) -> NDArray[Any]:
    """Decoded latents (1, M, h, w) to pixels (height, width, 3) of `dtype`, at most 16 h × 16 w.

    Where the latents are a part of a picture's, pixels within the synthesis halo of its cut edges are not
    exact.
    """
    pixels = np.empty((*size, 3), dtype)
    budget = window_pixels // LATENT_STRIDE**2
    for window in cover(*y_hat.shape[2:], align=_SITES, halo=inference.synthesis_halo, budget=budget):
        picture = inference.picture(y_hat[:, :, *window.outer].to(inference.device))
        rows, columns = (slice(s.start * LATENT_STRIDE, s.stop * LATENT_STRIDE) for s in window.core)
        target = pixels[rows, columns]
        levels = to_levels(picture[:, :, *window.inner(LATENT_STRIDE)], dtype, gray=gray)
        target[:] = levels[: target.shape[0], : target.shape[1]]
    return pixels


def _rounding(
    tables: EntropyTables, inference: Inference, quality_step: int
) -> tuple[torch.Tensor, torch.Tensor]:
    gain = inference.gain.flatten().cpu().numpy()
    by_level, by_channel = rounding_shifts(tables, gain, 1.0 + quality_step / QUALITY_STEPS)
    return (
        torch.from_numpy(by_level).to(inference.device),
        torch.from_numpy(by_channel).to(inference.device),
    )


def _picture(pixels: NDArray[Any], window: Window, device: torch.device) -> torch.Tensor:
    """A window of the picture, (1, 3, h, w) float32 in [0, 1]; beyond its edge the last pixels repeat."""
    rows, columns = window.outer
    cut = pixels[rows, columns]
    missing = (rows.stop - rows.start - cut.shape[0], columns.stop - columns.start - cut.shape[1])
    if any(missing):
        cut = np.pad(cut, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
    largest = np.iinfo(cut.dtype).max
    # torch warns of arrays that it could not write to, as pictures from PIL are.
    tensor = torch.from_numpy(np.require(cut, requirements=["C", "W"])).to(device).permute(2, 0, 1)[None]
    # Planes, not pixels: what is done at full resolution is element-wise with the denoiser's output.
    return tensor.float().contiguous() / largest


def to_levels(picture: torch.Tensor, dtype: PixelType, *, gray: bool) -> NDArray[Any]:
    """A picture (1, 3, h, w) in [0, 1] to pixels (h, w, 3) of `dtype`; `gray` averages the channels."""
    channels_last = picture[0].permute(1, 2, 0)
    if gray:
        channels_last = channels_last.mean(2, keepdim=True).expand(-1, -1, 3)
    if dtype is np.float32:
        floats: NDArray[Any] = channels_last.cpu().numpy()
        return floats
    largest = int(np.iinfo(dtype).max)  # type: ignore[type-var]
    scaled = (channels_last * largest).round_()
    levels: NDArray[Any] = scaled.to(torch.uint8 if largest == 255 else torch.int32).cpu().numpy()
    return levels.astype(dtype, copy=False)


def _coarser(place: tuple[slice, slice]) -> tuple[slice, slice]:
    """A place in latent sites as one in hyperlatent sites."""
    rows, columns = place
    return (
        slice(rows.start // _SITES, rows.stop // _SITES),
        slice(columns.start // _SITES, columns.stop // _SITES),
    )


def _coded(size: int) -> int:
    return -(-size // HYPER_STRIDE) * HYPER_STRIDE
