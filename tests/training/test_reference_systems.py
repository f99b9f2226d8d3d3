"""`jdc train --arch`: the papers' systems train, resume, and code or denoise from their checkpoints."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from reference.systems import NARROW, SYSTEMS, needs_compressai
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

from jdcodec.errors import ModelError, TrainingError
from jdcodec.reference import architectures, load
from jdcodec.training.checkpoint import open_checkpoint, read_checkpoint
from jdcodec.training.denoisers import open_denoiser
from jdcodec.training.loop import Trainer, train
from jdcodec.training.noise import Gaussian
from jdcodec.training.recipe import Phase, Recipe, load_recipe

from .conftest import OptionsMaker, short_recipe
from .samples import picture


def recipe_of(name: str, **changes: Any) -> Recipe:
    system = architectures()[name]
    values: dict[str, Any] = {"arch": name, "sizes": NARROW[name], "optimizer": "adam", "learning_rate": 1e-3}
    values |= {"lambda_": None if system.is_denoiser else 0.01, "clean_share": 0.0, "hold_out_every": 4}
    values |= {"noise": Gaussian(20, 40), "phases": (Phase(0.0, 64, 2),)}
    return short_recipe(**values | changes)


def ignore(figures: dict[str, Any]) -> None:
    """Where the figures are not of interest."""


@pytest.mark.parametrize("name", SYSTEMS)
def test_trains_and_its_checkpoint_codes(name: str, make_options: OptionsMaker) -> None:
    figures: list[dict[str, Any]] = []
    path = train(recipe_of(name), make_options(steps=2), figures.append)
    assert math.isfinite(figures[-2]["loss"])
    measured = figures[-1]["validation"]
    system = architectures()[name]
    assert set(measured) == ({"stem"} if system.is_denoiser else {"clean@0.01", "noisy@0.01", "cost"})

    model = load(path)
    assert not model.training
    averaged = {n: t for n, t in open_checkpoint(path).tensors.items() if n.startswith("average/")}
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, averaged[f"average/{key}"]), key
    x = torch.from_numpy(picture(70, 90, 1)).permute(2, 0, 1)[None, : model.channels] / 255
    with torch.no_grad():
        expected = model(x).reconstruction
    decoded = model.decompress(model.compress(x))
    tolerance = 0.51 / 255 if system.is_denoiser else 1e-3
    if system.is_denoiser:
        expected = expected.clamp(0, 1)
    torch.testing.assert_close(decoded, expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize(
    "name",
    [
        "dncnn-small",  # with batch norm's running means
        pytest.param("manypriors", marks=needs_compressai),  # with counts of idle priors
        pytest.param("guided-128", marks=needs_compressai),
    ],
)
def test_resumed_equals_uninterrupted(name: str, make_options: OptionsMaker) -> None:
    recipe = recipe_of(name)
    whole = open_checkpoint(train(recipe, make_options("whole", steps=4), ignore)).tensors
    stopped = Trainer(recipe, make_options("stopped", steps=4), ignore)
    stopped.run(lambda: stopped.step == 2)
    resumed = make_options("stopped", steps=4, resume=stopped.folder.checkpoint)
    again = open_checkpoint(train(recipe, resumed, ignore)).tensors
    assert again.keys() == whole.keys()
    for key, tensor in whole.items():
        torch.testing.assert_close(again[key], tensor, atol=1e-6, rtol=1e-4, msg=key)


@needs_compressai
def test_idle_priors_are_counted_through_a_checkpoint(make_options: OptionsMaker) -> None:
    path = train(recipe_of("manypriors"), make_options(steps=3), ignore)
    counts = open_checkpoint(path).tensors["model/priors.idle_steps"]
    assert counts.dtype == torch.long and int(counts.max()) <= 3
    assert torch.equal(open_checkpoint(path).tensors["average/priors.idle_steps"], counts)


@needs_compressai
def test_tables_reach_where_the_trained_prior_does(make_options: OptionsMaker) -> None:
    """What compressai trains quantiles for by an auxiliary loss holds here without one."""
    model: Any = load(train(recipe_of("hyperprior", learning_rate=0.02), make_options(steps=6), ignore))
    model.prepare()
    quantiles = model.bottleneck.quantiles
    logits = model.bottleneck._logits_cumulative(quantiles, stop_gradient=True)
    shares = torch.sigmoid(logits).squeeze(1)
    tail = model.bottleneck.tail_mass / 2
    torch.testing.assert_close(shares[:, 1], torch.full_like(shares[:, 1], 0.5), atol=1e-3, rtol=0)
    assert float(shares[:, 0].max()) < 2 * tail
    assert float(1 - shares[:, 2].min()) < 1e-6


def test_gray_systems_learn_from_luma(make_options: OptionsMaker) -> None:
    trainer = Trainer(recipe_of("residual-gray"), make_options(), ignore)
    batch = trainer._batch()
    seen: list[torch.Tensor] = []
    trainer.model.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0]))
    trainer._loss(batch)
    red, green, blue = batch.noisy.unbind(1)
    torch.testing.assert_close(seen[0][:, 0], 0.299 * red + 0.587 * green + 0.114 * blue)


@needs_compressai
def test_two_steps_start_from_their_parts(make_options: OptionsMaker) -> None:
    denoiser = train(recipe_of("unet"), make_options("unet", steps=1), ignore)
    codec = train(recipe_of("manypriors", seed=2), make_options("manypriors", steps=1), ignore)
    both = Trainer(
        recipe_of("unet-manypriors", seed=3), make_options("both", start_from=(denoiser, codec)), ignore
    )
    for path, part in ((denoiser, "denoiser"), (codec, "codec")):
        for key, tensor in load(path).state_dict().items():
            assert torch.equal(both.model.state_dict()[f"{part}.{key}"], tensor), key
    with pytest.raises(TrainingError, match="other tensors than hyperprior"):
        Trainer(recipe_of("hyperprior"), make_options("other", start_from=(codec,)), ignore)


def test_a_denoiser_cleans_folders_window_by_window(make_options: OptionsMaker) -> None:
    path = train(recipe_of("unet", learning_rate=3e-3), make_options(steps=3), ignore)
    denoiser = open_denoiser(path, "cpu")
    pixels = picture(300, 520, 3)
    whole = denoiser(pixels).astype(int)
    assert whole.shape == pixels.shape and not np.array_equal(whole, pixels)
    denoiser.window = 256
    assert np.abs(denoiser(pixels) - whole).max() <= 1


@needs_compressai
def test_a_codec_is_no_denoiser(make_options: OptionsMaker) -> None:
    path = train(recipe_of("hyperprior"), make_options(steps=1), ignore)
    with pytest.raises(TrainingError, match=r"cannot be used as a denoiser on cpu: it is a codec"):
        open_denoiser(path, "cpu")
    with pytest.raises(TrainingError, match="holds a reference system"):
        read_checkpoint(path)


def test_gmac_counts_a_checkpoint(make_options: OptionsMaker) -> None:
    from jdcodec.cli import app

    path = train(recipe_of("dncnn", sizes={"depth": 3, "width": 4}), make_options(steps=1), ignore)
    done = CliRunner().invoke(app, ["gmac", str(path), "--count-only", "--json"], catch_exceptions=False)
    model = json.loads(done.stdout)["models"][0]
    convolutions = 9 * (3 * 4 + 4 * 4 + 4 * 3)
    assert model["parts"][0]["convolutions_per_pixel"] == convolutions
    assert model["parameters"] == convolutions + 4 + 3 + 2 * 4


def test_another_system_is_not_resumed(make_options: OptionsMaker) -> None:
    path = train(recipe_of("autoencoder"), make_options(steps=1), ignore)
    for recipe in (recipe_of("residual"), recipe_of("autoencoder", sizes={"width": 4})):
        with pytest.raises(TrainingError, match="holds another network than"):
            train(recipe, make_options("other", resume=path), ignore)
    with pytest.raises(TrainingError, match="not a checkpoint of one of this project's networks"):
        train(short_recipe(), make_options("other", resume=path), ignore)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    """A checkpoint with a forged description, to be written again with others."""
    model = torch.nn.Linear(1, 1)
    return tmp_path_factory.mktemp("stored"), {f"average/{n}": t for n, t in model.state_dict().items()}


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("[", "does not say which system"),
        ("[1]", "does not say which system"),
        ('{"name": "unet"}', "does not say which system"),
        ('{"name": 3, "sizes": {}}', "no name and sizes"),
        ('{"name": "unet", "sizes": [1]}', "no name and sizes"),
        ('{"name": "unet", "sizes": {"width": 1.5}}', "not a whole number"),
        ('{"name": "unet", "sizes": {"width": 999999999}}', "not a whole number"),
        ('{"name": "unet", "sizes": {"width": true}}', "not a whole number"),
        ('{"name": "unet", "sizes": {"widht": 4}}', "cannot be built"),
        ('{"name": "unet", "sizes": {"width": 4096}}', "its tensors are not those of unet"),
        ('{"name": "dncnn", "sizes": {"depth": 1}}', "dncnn"),
        ('{"name": "nowhere", "sizes": {}}', "unknown architecture 'nowhere'"),
        ("[" * 100_000, "does not say which system"),
    ],
)
def test_forged_descriptions(
    description: str, reason: str, stored: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    folder, tensors = stored
    path = folder / "forged.safetensors"
    save_file(tensors, path, {"reference": description, "progress": "{}"})
    with pytest.raises(ModelError, match=reason) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(TrainingError):
        open_denoiser(path, "cpu")


def test_what_is_no_checkpoint(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(200))
    for path, reason in (
        (tmp_path / "nowhere", "not a readable checkpoint"),
        (tmp_path / "noise", "not a readable checkpoint"),
        (tiny_model, "not a checkpoint of a reference system"),
    ):
        with pytest.raises(ModelError, match=reason):
            load(path)


REFUSED = {
    'arch = "unet"\nlambda = 0.1': "a denoiser has no rate",
    'arch = "unet"\nsizes = {width = 1.5}': "sizes: expected a table of whole numbers above 0",
    'arch = "unet"\nsizes = {width = 0}': "sizes: expected a table of whole numbers above 0",
    'arch = "unet"\nsizes = 3': "sizes: expected a table",
    'arch = "unet"\npart = "stem"': 'part = "stem" is of networks with both',
    'arch = "unet"\nguidance_weight = 1': "guidance_weight needs features to guide",
    'arch = "manyprior"': "did you mean manypriors?",
    'arch = "manypriors"\nlambda = 0': "lambda must be positive",
    'arch = "manypriors"\nlambda = "x"': "lambda must be of type float",
    'arch = "manypriors"\nlambda = nan': "lambda must be finite",
    "lambda = 0.1": "fast learns all of them at once",
    "lambda_ = 0.1": "unknown key 'lambda_'",
    "sizes = {n = 3}": "sizes are of reference systems",
    "contrastive_weight = 0.5": "needs a network with projections: arch must be jicdcls-128 or jicdcls-192",
    'part = "stem"\nguidance_weight = 1': 'part must be "all"',
    "guidance_weight = -1": "guidance_weight must be at least 0",
    "loss_cap = 0": "loss_cap must be positive",
    "warmup_share = 1.5": "warmup_share must lie in 0 to 1",
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(TrainingError) as caught:
        load_recipe(str(path))
    assert REFUSED[text] in str(caught.value)
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_the_papers_defaults_give_way_to_the_recipe(tmp_path: Path) -> None:
    codec, denoiser = load_recipe("jdc-n", arch="hyperprior"), load_recipe("jdc-n", arch="unet")
    assert (codec.optimizer, codec.learning_rate, codec.lambda_) == ("adam", 1e-4, 0.013)
    assert (denoiser.optimizer, denoiser.learning_rate, denoiser.lambda_) == ("adam", 1e-3, None)
    path = tmp_path / "mine.toml"
    path.write_text('learning_rate = 2e-4\nlambda = 0.05\narch = "manypriors"')
    mine = load_recipe(str(path))
    assert (mine.learning_rate, mine.lambda_) == (2e-4, 0.05)
    assert load_recipe(str(path), weight=0.1).lambda_ == 0.1
    assert load_recipe("jdc-n", arch="best") == dataclasses.replace(load_recipe("jdc-n"), arch="best")


def test_sizes_that_a_system_does_not_have(make_options: OptionsMaker) -> None:
    with pytest.raises(TrainingError, match=r"unet with sizes \{'n': 3\}: cannot be built"):
        train(recipe_of("unet", sizes={"n": 3}), make_options(), ignore)


def test_the_command_trains_a_system_and_refuses_to_export_it(pictures: Path, tmp_path: Path) -> None:
    from jdcodec.cli import app

    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        "clean_share = 0.0\nphases = [{ start = 0, crop = 64, batch = 2 }]\nsizes = { depth = 3, width = 4 }"
    )
    words = [
        "train",
        recipe,
        "--arch",
        "dncnn",
        "--data",
        pictures,
        "--run",
        tmp_path / "run",
        "--steps",
        "2",
    ]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "run" / "checkpoint.safetensors").reach == 3
    with safe_open(tmp_path / "run" / "checkpoint.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["reference"])["sizes"] == {"depth": 3, "width": 4}
    words += ["--force", "--export", tmp_path / "out.safetensors"]
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(done.exception, TrainingError) and "which dncnn is not for" in str(done.exception)


def test_a_missing_compressai_is_one_line(
    make_options: OptionsMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, **sizes: int) -> Any:
        raise ModelError("the papers' codecs need compressai: pip install 'jdcodec[reference]'")

    monkeypatch.setattr("jdcodec.training.reference_task.build", missing)
    with pytest.raises(TrainingError, match="need compressai: pip install"):
        train(recipe_of("manypriors"), make_options(), ignore)
