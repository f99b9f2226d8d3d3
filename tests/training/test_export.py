"""What training exports is what the codec loads, and its tables fit the symbols that it codes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NetworkMaker, PictureMaker
from numpy.typing import NDArray
from typer.testing import CliRunner

import jdcodec
from jdcodec.cli import app
from jdcodec.codec.noise import NoisePower
from jdcodec.codec.runtime import start_inference
from jdcodec.codec.symbols import Symbols, latents_to_symbols, picture_to_latents
from jdcodec.codec.weights import Weights, load_weights
from jdcodec.container import TileRect
from jdcodec.entropy import encode_tile, estimate_bits
from jdcodec.errors import OutputError, TrainingError
from jdcodec.model.config import quality_to_t
from jdcodec.model.network import JointCodec
from jdcodec.training import export
from jdcodec.training.export import check_export, export_checkpoint, export_weights
from jdcodec.training.loop import train

from .conftest import OptionsMaker, short_recipe


def coded(picture: NDArray[np.uint8], weights: Weights, step: int) -> Symbols:
    """The symbols of a picture at a quality step."""
    inference = start_inference(weights, 1 + step / 32, device="cpu", precision="fp32")
    power = NoisePower()
    y = picture_to_latents(picture, inference, strength=1.0, observe=power.add)
    tile = TileRect(0, 0, 0, 16 * y.shape[2], 16 * y.shape[1])
    return latents_to_symbols(
        y, inference, weights.tables, [tile], quality_step=step, noise=power.result(), denoise=1.0
    )


@pytest.mark.parametrize("quality", [1, 4.5, 8])
def test_estimated_bits_are_the_bits_of_the_file(
    quality: float, tiny_model: Path, make_picture: PictureMaker
) -> None:
    weights = load_weights(tiny_model.resolve())
    step = round((quality - 1) * 32)
    symbols = coded(make_picture(192, 256, 50), weights, step)
    bits = 8 * len(encode_tile(weights.tables, symbols.z, symbols.y, step))
    assert estimate_bits(weights.tables, symbols.z, symbols.y, step) == pytest.approx(bits, rel=0.01)


def test_integer_scale_levels_are_those_of_the_network(tiny_model: Path, tiny_network: JointCodec) -> None:
    """The integer map is the network's real-valued index, rounded, but for what int8 weights cost."""
    tables = load_weights(tiny_model.resolve()).tables
    generator = np.random.default_rng(0)
    z = generator.integers(-6, 7, (tables.hyper_channels, 4, 4)).astype(np.int8)
    for step in (0, 40, 224):
        t = torch.tensor([quality_to_t(1 + step / 32)])
        with torch.inference_mode():
            index = tiny_network.entropy.scale(torch.from_numpy(z)[None].float(), tiny_network.gain(t), t)
        expected = index[0].clamp(0, 63).numpy()
        levels = tables.scale_indices(z, step)
        inside = (levels > 0) & (levels < 63)
        assert abs(np.mean(levels[inside] - expected[inside])) < 0.1  # rounded, not cut off
        difference = np.abs(levels - expected)
        assert np.mean(difference) < 0.5
        assert difference.max() <= 3


def test_fitted_tables_cost_less_than_those_they_started_from(
    tiny_model: Path, tiny_network: JointCodec, make_picture: PictureMaker
) -> None:
    weights = load_weights(tiny_model.resolve())
    densities = export._start_tables(tiny_network)
    # With the scale levels of the file, whose parameters are rounded: points are those of their states there.
    started = dataclasses.replace(
        weights.tables,
        latent_frequency=densities.latent_frequency,
        hyper_frequency=densities.hyper_frequency,
    )
    fitted_bits, started_bits = 0.0, 0.0
    for seed in range(4):  # pictures that the tables were fitted to
        symbols = coded(make_picture(128, 192, seed), weights, 96)
        fitted_bits += estimate_bits(weights.tables, symbols.z, symbols.y, 96)
        started_bits += estimate_bits(started, symbols.z, symbols.y, 96)
    assert fitted_bits < started_bits


def test_a_checkpoint_becomes_a_model_that_codes(
    make_options: OptionsMaker, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_FIT_BATCHES", 3)
    monkeypatch.setattr(export, "_FIT_CROP", 64)
    checkpoint = train(short_recipe(), make_options(steps=2), lambda figures: None)
    path, lines = tmp_path / "mine.safetensors", []
    identity = export_checkpoint(checkpoint, pictures, path, lines.append)
    assert load_weights(path).model_id == identity
    assert lines and "tables fitted" in lines[0]
    picture = np.full((40, 50, 3), 90, np.uint8)
    data = jdcodec.encode(picture, quality=8, model=str(path))
    decoded = jdcodec.decode(data, model=str(path))
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - 90).mean() < 20


def words(recipe: Path, pictures: Path, out: Path) -> list[str]:
    place = ["--data", str(pictures), "--run", str(out.parent / "run"), "--threads", "1"]
    return ["train", str(recipe), *place, "--steps", "1", "--export", str(out)]


def test_weights_are_not_overwritten_unless_forced(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was coded with them could not be decoded any more."""
    monkeypatch.setattr(export, "_FIT_BATCHES", 1)
    monkeypatch.setattr(export, "_FIT_CROP", 64)
    recipe, out = tmp_path / "mine.toml", tmp_path / "mine.safetensors"
    recipe.write_text('arch = "tiny"\nphases = [{ start = 0.0, crop = 64, batch = 1 }]')
    out.write_bytes(b"weights of before")
    refused = CliRunner().invoke(app, words(recipe, pictures, out))
    assert isinstance(refused.exception, OutputError)
    assert "mine.safetensors: exists already; --force replaces it" in str(refused.exception)
    assert out.read_bytes() == b"weights of before" and not (tmp_path / "run").exists()
    forced = CliRunner().invoke(app, [*words(recipe, pictures, out), "--force"])
    assert forced.exit_code == 0, forced.output
    assert load_weights(out).config.name == "tiny fast"


def test_weights_that_appear_while_training_stay(
    make_options: OptionsMaker, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_FIT_BATCHES", 1)
    monkeypatch.setattr(export, "_FIT_CROP", 64)
    checkpoint = train(short_recipe(), make_options(steps=1), lambda figures: None)
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"another run's")
    with pytest.raises(OutputError, match="exists already"):
        export_checkpoint(checkpoint, pictures, out)
    assert out.read_bytes() == b"another run's"


@pytest.mark.parametrize(
    ("name", "reason"), [("", "is a folder"), ("none/mine.safetensors", "no such folder")]
)
def test_weights_that_could_not_be_written(name: str, reason: str, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=reason):
        check_export(tmp_path / name, pictures, short_recipe(), force=True)


def test_a_parameter_that_is_not_finite_is_named(make_network: NetworkMaker, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in make_network("fast").state_dict().items()}
    state["gain.bend"][3] = 1e6  # beyond fp16
    with pytest.raises(TrainingError, match=r"gain\.bend is not finite in fp16"):
        export_weights(state, make_network("fast").config, [], tmp_path / "never.safetensors")
    assert not (tmp_path / "never.safetensors").exists()
