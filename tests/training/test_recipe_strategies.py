"""What recipes say of noise, pairs and losses is checked as well, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from jdcodec.errors import TrainingError
from jdcodec.training.noise import PoissonGaussian, RawGamma
from jdcodec.training.recipe import load_recipe

PHASE = "phases = [{{start = 0, crop = {}, batch = {}}}]\n"

BROKEN = {
    'source = "nind"': "source must be made or pairs, not 'nind'",
    'targets = "x"': "targets must be clean or denoised",
    'loss = "lpips"': "loss must be mse or ms-ssim",
    "threshold = 0.8": 'threshold and targets are of pairs: source must be "pairs"',
    'targets = "denoised"': "threshold and targets are of pairs",
    'source = "pairs"\nthreshold = 1.2': "threshold must lie in 0 to 1",
    'source = "pairs"\nthreshold = "high"': "threshold must be of type float",
    'source = "pairs"\npart = "codec"': "trains on clean photographs",
    "exact_mix = 1": "exact_mix must be of type bool, not 1",
    "exact_mix = true\nclean_share = 0.2\n" + PHASE.format(64, 8): "of a batch of 8 is no whole number",
    'loss = "ms-ssim"\n' + PHASE.format(128, 2): "ms-ssim needs crops of at least 161 pixels, not 128",
    "stem_weight = -1": "stem_weight must be at least 0",
    'noise = {model = "hiss"}': "model 'hiss' is not one of camera, poisson-gaussian",
    "noise = {model = 3}": "model 3 is not one of",
    'noise = {model = "gaussian", a = 0.1}': "unknown key 'a'; known are sigma_min, sigma_max",
    'noise = {model = "poisson-gaussian", a = 0}': "a must be above 0",
    'noise = {model = "raw-gamma", compat = 1}': "compat must be of type bool",
    'noise = {model = "raw-gamma", log_read_min = 3}': "logarithms must be at most 0",
    "noise = {jpeg_share = 2.0}": "each share must lie in 0 to 1",
}


@pytest.mark.parametrize("text", BROKEN)
def test_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TrainingError) as caught:
        load_recipe(str(path))
    assert BROKEN[text] in str(caught.value)
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_noise_models_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[noise]\nmodel = "raw-gamma"\ncompat = true\n')
    assert load_recipe(str(path)).noise == RawGamma(compat=True)


def test_constants_of_the_papers() -> None:
    noise = load_recipe("testolina").noise
    assert isinstance(noise, PoissonGaussian)
    assert (noise.a, noise.b) == (pytest.approx(0.2**2), pytest.approx(0.04**2))
    for name in ("jdc-cn", "jdc-cn.8"):
        recipe = load_recipe(name)
        assert recipe.exact_mix and recipe.clean_share == 0.2  # four noisy, one clean
    for name in ("jdc-n", "jdc-cn", "jdc-cn.8", "jdc-ud", "testolina"):
        assert load_recipe(name).full_strength_share == 1
    assert load_recipe("jdc").noise == load_recipe("standard").noise


@pytest.mark.parametrize("name", ["jdc-cn.", "jdc-cn.x", "jdc-cn.12345", "jdc-n.8", "jdc-cn.8.toml"])
def test_what_is_no_threshold(name: str) -> None:
    with pytest.raises(TrainingError, match=r"cannot be read|no recipe"):
        load_recipe(name)
