"""A recipe is checked, key by key, before anything is loaded; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from jdcodec.errors import TrainingError
from jdcodec.training.noise import CameraNoise
from jdcodec.training.recipe import Phase, Recipe, load_recipe
from jdcodec.training.shipped import shipped_recipes

BROKEN = {
    'surprise = "x"': "unknown key 'surprise'",
    'learning_rate = "fast"': "learning_rate must be of type float",
    "learning_rate = true": "learning_rate must be of type float, not True",
    "learning_rate = nan": "learning_rate must be finite",
    "learning_rate = -1": "learning_rate and clip must be positive",
    "clip = 0": "learning_rate and clip must be positive",
    "ema = inf": "ema must be finite",
    "ema = 1.5": "ema must lie in 0 to 1",
    "clean_share = -0.1": "clean_share must lie in 0 to 1",
    "seed = 1.5": "seed must be of type int",
    "seed = -1": "seed must lie in 0",
    "seed = 9000000000000000000": "seed must lie in 0",
    "warmup_steps = 0": "warmup_steps must be at least 1",
    "hold_out_every = 1": "hold_out_every at least 2",
    "arch = 3": "arch must be of type str",
    'arch = "huge"': "arch 'huge' is not one of",
    'trellis = true\npart = "stem"': "trellis is for what the decoder sees",
    'trellis = true\npart = "entropy"': "trellis is for what the decoder sees",
    'trellis = true\narch = "manypriors"': "trellis is of this project's networks, not of manypriors",
    'part = "head"': "part must be stem, codec, codec-after-stem, entropy or all",
    'optimizer = "sgd"': "optimizer must be adam or muon",
    "phases = 3": "phases: expected an array",
    "phases = []": "first phase must start at 0",
    "phases = [7]": "phases: expected a table",
    "phases = [{start = 0.0}]": "phases: .*missing .* 'crop' and 'batch'",
    "phases = [{start = 0.0, crop = 64, batch = 1, size = 2}]": "phases: unknown key 'size'",
    "phases = [{start = 0.0, crop = 64.5, batch = 1}]": "phases: crop must be of type int",
    "phases = [{start = 0.0, crop = 100, batch = 1}]": "multiple of 64",
    "phases = [{start = 0.0, crop = 0, batch = 1}]": "multiple of 64",
    "phases = [{start = 0.0, crop = -64, batch = 1}]": "multiple of 64",
    "phases = [{start = 0.0, crop = 64, batch = 0}]": "and a batch",
    "phases = [{start = 0.1, crop = 64, batch = 1}]": "first phase must start at 0",
    "phases = [{start = 0.0, crop = 64, batch = 1}, {start = 1.0, crop = 64, batch = 1}]": "a phase needs",
    "phases = [{start = 0, crop = 64, batch = 1}, {start = 0.5, crop = 64, batch = 1}, "
    "{start = 0.2, crop = 64, batch = 1}]": "and others after it",
    "noise = 1": "noise: expected a table",
    "noise = {hiss = 1.0}": "noise: unknown key 'hiss'",
    'noise = {shot_min = "low"}': "noise: shot_min must be of type float",
    "noise = {shot_min = 0.0}": "shot_min must be above 0",
    "noise = {shot_min = 0.1, shot_max = 0.01}": "at most shot_max",
    "learning_rate = ": "not valid TOML",
    "[[": "not valid TOML",
}


@pytest.mark.parametrize("text", BROKEN)
def test_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=BROKEN[text]) as caught:
        load_recipe(str(path))
    assert "mine.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"nowhere\.toml: cannot be read: No such file"):
        load_recipe(str(tmp_path / "nowhere.toml"))
    with pytest.raises(TrainingError, match=r"^no recipe 'no such recipe'; shipped are: .*jdc, "):
        load_recipe("no such recipe")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TrainingError, match=r"binary\.toml: cannot be read"):
        load_recipe(str(tmp_path / "binary.toml"))


def test_values_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'arch = "best"\nlearning_rate = 1\npart = "stem"\n'
        "phases = [{start = 0, crop = 64, batch = 3}, {start = 0.5, crop = 128, batch = 1}]\n"
        "[noise]\njpeg_share = 0.25\n"
    )
    assert load_recipe(str(path)) == Recipe(
        name="mine",
        arch="best",
        learning_rate=1,
        part="stem",
        phases=(Phase(0, 64, 3), Phase(0.5, 128, 1)),
        noise=CameraNoise(jpeg_share=0.25),
    )


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_load(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description
