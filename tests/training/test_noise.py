"""Camera noise has the statistics of a camera: shot noise, a demosaic's correlation, and no bias."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from jdcodec.training.noise import CameraNoise, camera, linear_to_srgb, srgb_to_linear
from jdcodec.training.noise.draw import Draw

#: The scene as it is: neither darkened, nor tinted, nor out of focus, nor gray.
AS_IT_IS = {"darkened_share": 0.0, "tinted_share": 0.0, "defocused_share": 0.0, "gray_share": 0.0}


def plain(shot: float, unbiased_share: float = 0.8) -> CameraNoise:
    """Raw noise of one strength alone, without processing, on the scene as it is."""
    return CameraNoise(
        shot, shot, processed_share=0, uneven_share=0, unbiased_share=unbiased_share, luma_share=0, **AS_IT_IS
    )


def flat(level: float, batch: int = 8, size: int = 64) -> Tensor:
    """Patches of one linear level."""
    return linear_to_srgb(torch.full((batch, 3, size, size), level))


def add(noise: CameraNoise, clean: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    return noise(clean, torch.Generator().manual_seed(seed))


def linear_variance(noise: CameraNoise, level: float) -> float:
    """Variance of the green channel in linear light, the mean over cameras drawn alike."""
    noisy, _ = add(noise, flat(level))
    return float(srgb_to_linear(noisy)[:, 1].var((1, 2)).mean())


def test_variance_grows_with_the_signal() -> None:
    variances = [linear_variance(plain(0.004), level) for level in (0.02, 0.1, 0.3)]
    assert variances[1] > 1.5 * variances[0]
    assert 2 < variances[2] / variances[1] < 4  # 3, were it shot noise alone


def test_variance_grows_with_the_strength() -> None:
    variances = [linear_variance(plain(shot), 0.2) for shot in (0.0003, 0.003, 0.02)]
    assert variances[1] > 5 * variances[0]
    assert variances[2] > 4 * variances[1]


def test_a_demosaic_correlates_neighbours() -> None:
    noisy, clean = add(plain(0.004), flat(0.2, batch=16))
    residual = (noisy - clean)[:, 1]
    residual = residual - residual.mean((1, 2), keepdim=True)
    variance = residual.square().mean()
    beside = (residual[:, :, 1:] * residual[:, :, :-1]).mean() / variance
    far = (residual[:, :, 5:] * residual[:, :, :-5]).mean() / variance
    assert beside > 0.2
    assert abs(far) < 0.05


def test_does_not_shift_the_brightness() -> None:
    noisy, clean = add(plain(0.002), flat(0.2, batch=16))
    shift = srgb_to_linear(noisy).mean() - srgb_to_linear(clean).mean()
    assert abs(float(shift)) < 0.01


def test_clean_is_returned() -> None:
    picture = torch.rand(4, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    _, clean = add(CameraNoise(**AS_IT_IS), picture)
    torch.testing.assert_close(clean, picture, atol=1e-5, rtol=0)
    darkened = add(CameraNoise(**{**AS_IT_IS, "darkened_share": 1.0}), picture)[1]
    assert (darkened <= picture + 1e-5).all() and (darkened < picture - 0.01).any()


def test_unbiased_noise_has_no_mean_even_in_black() -> None:
    """Clipped at black, noise lifts shadows; a denoiser that learns to undo it tints real ones."""
    for level in (0.0, 0.002, 0.2, 1.0):
        noisy, clean = add(plain(0.01, unbiased_share=1), flat(level, batch=16))
        assert abs(float((noisy - clean).mean())) < 1.5 / 255, level
    noisy, clean = add(plain(0.01, unbiased_share=0), flat(0.002, batch=16))
    assert float((noisy - clean).mean()) > 5 / 255


def test_coloured_light_takes_channels_away_alike_everywhere() -> None:
    picture = flat(0.5)
    picture[:, :, :, 32:] = linear_to_srgb(torch.tensor(0.25))
    _, clean = add(CameraNoise(**{**AS_IT_IS, "tinted_share": 1.0}), picture)
    light = srgb_to_linear(clean) / srgb_to_linear(picture)
    torch.testing.assert_close(light, light[:, :, :1, :1].expand_as(light), atol=1e-4, rtol=0)
    assert light.amax(1).min() > 0.999 and light.amin() < 0.5


def test_out_of_focus_keeps_the_light_and_loses_the_detail() -> None:
    picture = torch.rand(8, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    _, clean = add(CameraNoise(**{**AS_IT_IS, "defocused_share": 1.0}), picture)
    torch.testing.assert_close(clean.mean((2, 3)), picture.mean((2, 3)), atol=0.02, rtol=0)
    assert (clean.var((2, 3)) < 0.5 * picture.var((2, 3))).all()


@pytest.mark.parametrize("processed_share", [0.0, 1.0])
def test_same_generator_same_noise(processed_share: float) -> None:
    noise = CameraNoise(processed_share=processed_share)
    picture = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    first, second = add(noise, picture, 5), add(noise, picture, 5)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], add(noise, picture, 6)[0])


def test_pictures_are_8_bit_and_in_range() -> None:
    picture = torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    picture[0], picture[1] = 0, 1
    noisy, clean = add(CameraNoise(shot_max=0.08, jpeg_share=1), picture)
    assert noisy.shape == clean.shape == picture.shape
    assert noisy.min() >= 0 and noisy.max() <= 1
    torch.testing.assert_close(noisy * 255, (noisy * 255).round(), atol=1e-3, rtol=0)


def test_processing_makes_noise_coarser() -> None:
    """It reaches further than a demosaic spreads it."""
    shares = []
    for processed_share in (0.0, 1.0):
        noise = CameraNoise(0.004, 0.004, processed_share=processed_share, jpeg_share=0, **AS_IT_IS)
        noisy, clean = add(noise, flat(0.2, batch=24))
        residual = noisy - clean
        apart = (residual[..., 4:] * residual[..., :-4]).mean((2, 3)) / residual.square().mean((2, 3))
        shares.append(float(apart.mean()))
    assert abs(shares[0]) < 0.03 and shares[1] > 0.1


def colour_and_strength(noise: CameraNoise, clean: Tensor) -> tuple[Tensor, Tensor]:
    """Deviation of chroma over that of the mean of the channels, and of noise, of each picture."""
    noisy, clean = add(noise, clean)
    residual = noisy - clean
    gray = residual.mean(1, keepdim=True)
    return (residual - gray).std((1, 2, 3)) / gray.std((1, 2, 3)), residual.std((1, 2, 3))


def test_a_share_of_noise_has_little_colour() -> None:
    clean = flat(0.2, batch=64)
    usual, strength = colour_and_strength(plain(0.004), clean)
    assert usual.min() > 0.5
    colour, gray_strength = colour_and_strength(replace(plain(0.004), luma_share=1.0), clean)
    # Half of it has none but what is rounded to 8 bits, and the rest less than usual.
    assert 0.3 < (colour < 0.05).float().mean() < 0.7
    assert (colour <= 0.7 * usual.max()).all() and (colour > 0.1).any()
    assert 0.5 * strength.mean() < gray_strength.mean() < 1.2 * strength.mean()


def test_a_share_of_scenes_is_gray_with_its_noise() -> None:
    picture = torch.rand(32, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    noisy, clean = add(replace(plain(0.004), gray_share=0.5), picture)
    without_colour = [(each - each[:, :1]).abs().amax((1, 2, 3)) < 1e-4 for each in (noisy, clean)]
    assert torch.equal(*without_colour) and 0.2 < without_colour[0].float().mean() < 0.8
    assert ((noisy - clean).std((1, 2, 3)) > 0.005).all()
    luminance = (srgb_to_linear(picture) * torch.tensor([0.2126, 0.7152, 0.0722])[:, None, None]).sum(1)
    gray = without_colour[1]
    torch.testing.assert_close(srgb_to_linear(clean)[gray][:, 0], luminance[gray], atol=1e-4, rtol=0)


def test_smoothing_in_the_camera_spares_edges() -> None:
    """More noise is left beside an edge than in flat parts; none of it has a mean."""
    picture = flat(0.05, batch=24)
    picture[..., 32:] = linear_to_srgb(torch.tensor(0.5))
    shares = {"processed_share": 1.0, "jpeg_share": 0.0, "uneven_share": 0.0, "unbiased_share": 1.0}
    beside_to_far = []
    for smoothed_share in (0.0, 1.0):
        noise = CameraNoise(0.002, 0.002, smoothed_share=smoothed_share, **shares, **AS_IT_IS)
        noisy, clean = add(noise, picture)
        residual = (noisy - clean).mean(1)
        assert abs(float(residual.mean())) < 1.5 / 255
        left, right = residual[..., 28:32].std(), residual[..., 4:20].std()
        beside_to_far.append(float(left / right))
    assert beside_to_far[1] > 1.15 * beside_to_far[0]


def test_coarse_noise_falls_slowly() -> None:
    """Of a spectrum that falls as a power, more is left both at the finest and at the coarsest scales."""

    def shares(coarse_share: float) -> tuple[float, float]:
        noise = CameraNoise(
            0.004, 0.004, processed_share=1.0, coarse_share=coarse_share, jpeg_share=0.0, **AS_IT_IS
        )
        noisy, clean = add(noise, flat(0.2, batch=48))
        power = torch.fft.rfft2((noisy - clean).mean(1)).abs().square().mean(0)
        return float(power[:4, :4].mean() / power.mean()), float(power[28:36, 28:].mean() / power.mean())

    (even_coarse, even_fine), (coarse, fine) = shares(0.0), shares(1.0)
    assert coarse > 1.2 * even_coarse and fine > 0.5 * even_fine


@pytest.mark.parametrize("side", [16, 32])
def test_pictures_smaller_than_the_windows_of_smoothing(side: int) -> None:
    noise = CameraNoise(0.01, 0.01, processed_share=1.0, smoothed_share=1.0)
    noisy, _ = add(noise, torch.rand(8, 3, side, 16, generator=torch.Generator().manual_seed(2)))
    assert noisy.shape == (8, 3, side, 16) and noisy.isfinite().all()


def test_means_of_windows_by_running_sums() -> None:
    picture = torch.rand(2, 3, 20, 33, generator=torch.Generator().manual_seed(2))
    for radius in (1, 4):
        mirrored = F.pad(picture, (radius,) * 4, mode="reflect")
        expected = F.avg_pool2d(mirrored, 2 * radius + 1, 1)
        torch.testing.assert_close(camera._box_mean(picture, radius), expected, atol=1e-5, rtol=0)


def test_srgb_curve_and_back() -> None:
    x = torch.linspace(0, 1, 1001)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(x)), x, atol=1e-5, rtol=0)
    assert float(srgb_to_linear(torch.tensor(0.5))) == pytest.approx(0.2140, abs=1e-4)


@pytest.mark.parametrize("size", [(2, 2), (7, 12), (16, 9)])
def test_a_demosaic_is_the_mean_of_the_nearest_of_a_colour(size: tuple[int, int]) -> None:
    """By two convolutions, written out: what `_mosaic_grain` does by sums."""
    draws = [Draw(3, torch.device("cpu"), torch.Generator().manual_seed(5)) for _ in range(2)]
    white = draws[0].field(3, *size)
    square = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
    cross = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
    padded = F.pad(white * camera._bayer(*size, white.device), (1, 1, 1, 1), mode="reflect")
    mosaiced = F.conv2d(padded, torch.stack((square, cross, square))[:, None], groups=3)
    blend = torch.where(draws[0].chance(0.25), draws[0].uniform(0, 1), 1.0)
    expected = blend * mosaiced + (1 - blend) * white
    for axis in (2, 3):
        expected = torch.where(draws[0].chance(0.5), expected.flip(axis), expected)
    found = camera._mosaic_grain(white.shape, draws[1])
    torch.testing.assert_close(found, expected)


def test_any_colour_of_the_mosaic_may_lie_at_the_corner() -> None:
    """A network that saw one arrangement only would be at a loss with half of all photographs."""
    grain = camera._mosaic_grain(
        torch.Size((200, 3, 32, 32)), Draw(200, torch.device("cpu"), torch.Generator())
    )
    # Where red is measured and not interpolated its noise is strongest.
    power = grain[:, 0].reshape(200, 16, 2, 16, 2).square().mean((1, 3)).flatten(1)
    corners = torch.bincount(power.argmax(1), minlength=4)
    assert corners.min() > 25, corners
