"""Camera noise made on clean sRGB crops, in batches, on whatever device the crops are on.

The sRGB picture is taken back to linear camera colours (inverse tone curve, colour matrix and white
balance), shot and read noise is drawn there, spread as a demosaic would spread it, and the result is
developed again: the unprocessing of Brooks et al., "Unprocessing images for learned raw denoising",
CVPR 2019, with a wider range of strengths. Most cameras process further: they smooth luma and chroma
apart, sharpen, resize and write JPEG, which leaves noise without any white part. A share of the crops
gets noise of such a spectrum. A recipe may have a share of these get what smoothing that spares edges leaves
of noise: little where the scene is flat, more along edges and in texture. Or a share of cameras that take
most of the colour out of noise: what is left looks like gray texture, as all noise of black-and-white
photographs does, and is for a denoiser of its own (`jdcodec.codec.denoisers`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from jdcodec.training.jpeg import jpeg_round_trip

from .curves import linear_to_srgb, srgb_to_linear
from .draw import Draw


@dataclass(frozen=True)
class CameraNoise:
    """Ranges that strengths are drawn from; variances are on linear camera values in [0, 1].

    Shot noise (variance per unit of signal) is log-uniform. Read noise follows it: log read = 2.18 log
    shot + 1.20 with a deviation of 0.26 (natural logarithms; the fit of Brooks et al. to the Darmstadt
    cameras).

    Photographs taken in the dark differ from those that noise is made on, so a share of them is darkened,
    lit by coloured light or out of focus. In an unbiased share the noise has a mean of zero in every pixel,
    black ones included, as averaged exposures show it; without, a denoiser learns to lift or tint shadows. In
    an uneven share one channel has more noise than its brightness would have it, as filters differ. In a luma
    share noise has little colour or none, and a gray share of scenes and their noise has none.
    Of what is processed, `smoothed_share` passes smoothing that spares edges, `coarse_share` gets a spectrum
    that falls as a power of the frequency, and `jpeg_share` is coded as JPEG.
    """

    shot_min: float = 2e-4
    shot_max: float = 0.05
    processed_share: float = 0.55
    smoothed_share: float = 0.0
    coarse_share: float = 0.0
    jpeg_share: float = 0.5
    darkened_share: float = 0.4
    tinted_share: float = 0.35
    defocused_share: float = 0.2
    unbiased_share: float = 0.8
    uneven_share: float = 0.5
    luma_share: float = 0.0
    gray_share: float = 0.0

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) clean sRGB in [0, 1] to (noisy, clean); a share of both is darkened alike."""
        draw = Draw(clean.shape[0], clean.device, generator)
        linear = self._scene(clean, draw)
        gray = torch.zeros_like(linear[:, :1, :1, :1], dtype=torch.bool)
        if self.gray_share:
            gray = draw.chance(self.gray_share)
            linear = torch.where(gray, _luminance(linear), linear)
        camera_to_srgb, white_balance = _random_camera(draw)
        srgb_to_camera = torch.linalg.inv(camera_to_srgb)
        raw = torch.einsum("bij,bjhw->bihw", srgb_to_camera, linear) / white_balance

        shot = draw.log_uniform(self.shot_min, self.shot_max)
        read = torch.exp(2.18 * torch.log(shot) + 1.20 + 0.26 * draw.normal())
        deviation = torch.sqrt(raw.clamp_min(0) * shot + read)
        processed = draw.chance(self.processed_share).flatten()
        grain = deviation * _mosaic_grain(clean.shape, draw)

        def developed(exposed: Tensor) -> Tensor:
            colours = torch.einsum("bij,bjhw->bihw", camera_to_srgb, exposed.clamp_max(1.0) * white_balance)
            return linear_to_srgb(colours.clamp(0, 1))

        clean = linear_to_srgb(linear)
        unbiased = draw.chance(self.unbiased_share)
        half = torch.where(unbiased, 0.5, 1.0)
        noise = half * (developed(raw + grain) - clean) + (half - 1) * (developed(raw - grain) - clean)
        noise *= torch.where(draw.chance(self.uneven_share), torch.exp(draw.uniform(-0.5, 0.5, 3)), 1.0)
        spectral = processed
        if self.smoothed_share:
            smoothed = processed & draw.chance(self.smoothed_share).flatten()
            few = draw.of(int(smoothed.sum()))
            if few.batch:
                noise[smoothed] = _spared_by_smoothing(clean[smoothed], noise[smoothed], few)
            # Of these half keep the spectrum that they have by now.
            spectral = processed & ~(smoothed & draw.chance(0.5).flatten())
        few = draw.of(int(spectral.sum()))
        if few.batch:
            noise[spectral] = _processed(noise[spectral], self.coarse_share, few)
        if self.luma_share or self.gray_share:
            noise = _less_coloured(noise, draw.chance(self.luma_share), gray, draw)
        room = torch.minimum(clean, 1 - clean) + torch.where(unbiased, 1 / 255, 1.0)
        noisy = (clean + noise.clamp(-room, room)).clamp(0, 1)
        compressed = processed & draw.chance(self.jpeg_share).flatten()
        if bool(compressed.any()):
            noisy[compressed] = jpeg_round_trip(noisy[compressed], draw.uniform(75, 99).flatten()[compressed])
        return torch.round(noisy * 255) / 255, clean

    def _scene(self, clean: Tensor, draw: Draw) -> Tensor:
        """The scene in linear light, a share of the pictures out of focus, tinted or darkened."""
        defocused = draw.chance(self.defocused_share).flatten()
        if bool(defocused.any()):
            clean = clean.clone()
            width = draw.log_uniform(0.7, 6.0)[defocused]
            clean[defocused] = _blurred(clean[defocused], width).clamp(0, 1)
        linear = srgb_to_linear(clean)
        light = torch.exp(draw.uniform(math.log(0.1), 0.0, channels=3))
        light = light / light.amax(1, keepdim=True)
        tinted = draw.chance(self.tinted_share)
        darkened = torch.where(draw.chance(self.darkened_share), draw.log_uniform(0.15, 1.0), 1.0)
        return linear * torch.where(tinted, light, 1.0) * darkened

    def problem(self) -> str | None:
        """What is wrong with the parameters, if anything."""
        if not 0 < self.shot_min <= self.shot_max:
            return "shot_min must be above 0 and at most shot_max"
        shares = [value for name, value in vars(self).items() if name.endswith("_share")]
        return None if all(0 <= share <= 1 for share in shares) else "each share must lie in 0 to 1"


def _random_camera(draw: Draw) -> tuple[Tensor, Tensor]:
    """Colour matrix camera to sRGB, (B, 3, 3), rows summing to one, and white balance, (B, 3, 1, 1).

    A matrix mixes the noise of the channels, so how strong it is matters: from none at all, as programs that
    leave the camera's colours alone have it, to that of a camera whose filters overlap much.
    """
    diagonal = draw.uniform(1.3, 1.9, channels=3)[:, :, 0, 0]
    share = draw.uniform(0.1, 0.9, channels=3)[:, :, 0, 0]
    matrix = torch.zeros(draw.batch, 3, 3, device=draw.device)
    for row in range(3):
        others = [column for column in range(3) if column != row]
        matrix[:, row, row] = diagonal[:, row]
        matrix[:, row, others[0]] = (1 - diagonal[:, row]) * share[:, row]
        matrix[:, row, others[1]] = (1 - diagonal[:, row]) * (1 - share[:, row])
    strength = torch.where(draw.chance(0.3), 0.0, draw.uniform(0.0, 1.0))[:, :, :, 0]
    matrix = torch.lerp(torch.eye(3, device=draw.device).expand_as(matrix), matrix, strength)
    red, blue = draw.uniform(1.0, 2.6), draw.uniform(1.0, 2.6)
    return matrix, torch.cat((red, torch.ones_like(red), blue), dim=1)


def _mosaic_grain(shape: torch.Size, draw: Draw) -> Tensor:
    """Unit noise on a Bayer mosaic, demosaiced bilinearly; mixed with white noise in a quarter of cases.

    A demosaic is nearly linear, so the noise is demosaiced apart from the scene: the scene keeps its
    detail and the noise its spatial correlation. The corner of each mosaic is red, blue or either green, as
    cameras, crops and turns have it: a network that works in patches learns where red lies if it is always
    the same, and then fails on all other photographs.
    """
    _, _, height, width = shape
    white = draw.field(3, height, width)
    padded = F.pad(white * _bayer(height, width, draw.device), (1, 1, 1, 1), mode="reflect")
    # Means of the two or four neighbours of a colour, by sums: a convolution of three channels is slow.
    middle, beside = padded[:, :, 1:-1], padded[:, :, :-2] + padded[:, :, 2:]
    mosaiced = torch.empty_like(white)
    columns = beside[:, 0::2] + 2 * middle[:, 0::2]
    mosaiced[:, 0::2] = (columns[..., :-2] + columns[..., 2:] + 2 * columns[..., 1:-1]) / 4
    green = middle[:, 1]
    mosaiced[:, 1] = (beside[:, 1, :, 1:-1] + green[..., :-2] + green[..., 2:]) / 4 + green[..., 1:-1]
    blend = torch.where(draw.chance(0.25), draw.uniform(0, 1), 1.0)
    grain = blend * mosaiced + (1 - blend) * white
    for axis in (2, 3):
        grain = torch.where(draw.chance(0.5), grain.flip(axis), grain)
    return grain


def _bayer(height: int, width: int, device: torch.device) -> Tensor:
    """Which pixels of an RGGB mosaic have which colour: (3, H, W), 0 or 1."""
    mask = torch.zeros(3, height, width, device=device)
    mask[0, 0::2, 0::2] = 1
    mask[1, 0::2, 1::2] = 1
    mask[1, 1::2, 0::2] = 1
    mask[2, 1::2, 1::2] = 1
    return mask


def _less_coloured(noise: Tensor, luma: Tensor, gray: Tensor, draw: Draw) -> Tensor:
    """Noise (B, 3, H, W) with half of its chroma at most where `luma`, often with none, as where `gray`.

    It keeps its strength, so that gray noise is as strong as noise in colours.
    """
    of_three = noise.mean(1, keepdim=True)
    chroma = noise - of_three
    kept = torch.where(draw.chance(0.5), 0.0, draw.uniform(0.0, 0.5))
    kept = torch.where(gray, 0.0, torch.where(luma, kept, 1.0))
    left = of_three + kept * chroma
    stronger: Tensor = (_deviation(noise) / _deviation(left).clamp_min(1e-6)).clamp(1.0, 2.0)
    return torch.where(kept < 1, left * stronger ** draw.uniform(0.0, 1.0), noise)


def _luminance(linear: Tensor) -> Tensor:
    """Relative luminance of linear sRGB (B, 3, H, W), in all three channels."""
    weights = torch.tensor([0.2126, 0.7152, 0.0722], device=linear.device)[:, None, None]
    return (linear * weights).sum(1, keepdim=True).expand_as(linear)


def _spared_by_smoothing(clean: Tensor, noise: Tensor, draw: Draw) -> Tensor:
    """What edge-preserving smoothing of clean + noise (B, 3, H, W) leaves of the noise.

    It is half the difference between what the smoothing makes of clean + noise and of clean - noise: odd in
    the noise, so without a mean, as in the mean of many exposures that a camera has smoothed each for itself.
    Luma and chroma pass the guided filter of He, Sun & Tang (IEEE PAMI 2013), both guided by the noisy luma,
    chroma in a window up to 4 pixels wider to each side and more strongly. A share of the amplitude that
    smoothing takes is given back.
    """
    radius = draw.whole(1, 3)
    wider = radius + draw.whole(0, 4)
    strength, more = draw.log_uniform(0.3, 3.0), draw.log_uniform(1.0, 4.0)

    def smoothed(picture: Tensor) -> Tensor:
        luma = picture.mean(1, keepdim=True)
        chroma = picture - luma
        kept = _guided(luma, luma, noise_level * strength**2, radius)
        return kept + _guided(luma, chroma, noise_level * (strength * more) ** 2, wider)

    noise_level = _box_mean(noise.mean(1, keepdim=True).square(), 3 * radius) + 1e-8
    left = (smoothed(clean + noise) - smoothed(clean - noise)) / 2
    return _given_back(noise, left, draw)


def _guided(guide: Tensor, x: Tensor, regularisation: Tensor, radius: int) -> Tensor:
    """The guided filter of x (B, C, H, W) by one guide (B, 1, H, W), in windows of 2·radius + 1 pixels."""
    guide_mean, mean = _box_mean(guide, radius), _box_mean(x, radius)
    variance = _box_mean(guide.square(), radius) - guide_mean.square()
    slope = (_box_mean(guide * x, radius) - guide_mean * mean) / (variance.clamp_min(0) + regularisation)
    offset = mean - slope * guide_mean
    return _box_mean(slope, radius) * guide + _box_mean(offset, radius)


def _box_mean(x: Tensor, radius: int) -> Tensor:
    """Mean over squares of 2·radius + 1 pixels, by running sums; the picture is mirrored at its borders."""
    radius = min(radius, min(x.shape[2:]) - 2)
    size = 2 * radius + 1
    sums = F.pad(x, (radius + 1, radius, radius + 1, radius), mode="reflect")
    for axis in (2, 3):
        sums = sums.cumsum(axis)
        length = sums.shape[axis] - size
        sums = sums.narrow(axis, size, length) - sums.narrow(axis, 0, length)
    return sums / size**2


def _processed(noise: Tensor, coarse_share: float, draw: Draw) -> Tensor:
    """What a camera's processing leaves of noise (B, 3, H, W): coarser, chroma more so than luma.

    Luma passes a low-pass of up to 1.6 pixels, in a third of cases with its middle frequencies raised as by
    sharpening; chroma one that is up to 3 pixels wider, see `_low_pass`. The filters are applied in the
    frequency domain, around the borders. A share of the amplitude that smoothing takes is given back.
    """
    luma = noise.mean(1, keepdim=True)
    luma_width = torch.where(draw.chance(0.25), 0.0, draw.uniform(0.2, 1.6))
    chroma_width = luma_width + draw.uniform(0.0, 3.0)
    sharpened = torch.where(draw.chance(0.33), draw.uniform(0.5, 2.0), 0.0)
    return _low_pass(luma, luma_width, sharpened, coarse_share, draw) + _low_pass(
        noise - luma, chroma_width, 0.0, coarse_share, draw
    )


def _low_pass(
    noise: Tensor, width: Tensor, sharpened: Tensor | float, coarse_share: float, draw: Draw
) -> Tensor:
    """A low-pass of deviation `width` pixels, then 1 + sharpened·(1 − a wider Gaussian low-pass).

    A Gaussian one leaves all coarse scales as strong. In a coarse share it falls as a power of the frequency,
    up to five times as wide: a camera that smooths at several scales takes the less the coarser the noise.
    """
    squared = _squared_frequency(noise)
    response = torch.exp(-squared * width**2)
    if coarse_share:
        coarse = draw.chance(coarse_share)
        power = draw.log_uniform(0.2, 2.0)
        width = torch.where(coarse, width * draw.log_uniform(1.0, 5.0), width)
        response = torch.where(coarse, (1 + squared * width**2 / power) ** -power, response)
    response = response * (1 + sharpened * (1 - torch.exp(-squared * (width + 1.0) ** 2)))
    filtered = _filtered(noise, response)
    return _given_back(noise, filtered, draw)


def _given_back(noise: Tensor, filtered: Tensor, draw: Draw) -> Tensor:
    """Filtered noise with a share of the amplitude that the filter took from it."""
    lost = _deviation(noise) / _deviation(filtered).clamp_min(1e-6)
    restored: Tensor = filtered * lost.clamp(0.25, 4.0) ** draw.uniform(0.2, 1.0)
    return restored


def _blurred(x: Tensor, width: Tensor) -> Tensor:
    """Gaussian low-pass of deviation `width` pixels; the picture is mirrored at its borders."""
    margin = min(16, min(x.shape[2:]) - 1)
    padded = F.pad(x, (margin,) * 4, mode="reflect")
    blurred: Tensor = _filtered(padded, torch.exp(-_squared_frequency(padded) * width**2))
    return blurred[:, :, margin:-margin, margin:-margin] if margin else blurred


def _squared_frequency(x: Tensor) -> Tensor:
    """2π²·|f|² for the frequencies of a real FFT of the last two axes: a Gaussian's exponent at width 1."""
    height, columns = x.shape[2:]
    vertical = torch.fft.fftfreq(height, device=x.device)[:, None]
    horizontal = torch.fft.rfftfreq(columns, device=x.device)[None, :]
    squared: Tensor = 2 * math.pi**2 * (vertical**2 + horizontal**2)
    return squared


def _filtered(x: Tensor, response: Tensor) -> Tensor:
    filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * response, s=x.shape[2:])
    return filtered


def _deviation(x: Tensor) -> Tensor:
    return x.square().mean((1, 2, 3), keepdim=True).sqrt()
