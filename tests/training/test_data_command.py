"""`jdc data`: pairs made from photographs, targets made by a denoiser, and both indexed."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file
from typer.testing import CliRunner

from jdcodec.cli.data import data as app
from jdcodec.errors import JdcError, OptionError, OutputError, TrainingError
from jdcodec.training import denoisers
from jdcodec.training.denoisers import CommandDenoiser, open_denoiser
from jdcodec.training.index import PairIndex
from jdcodec.training.loop import train

from .conftest import OptionsMaker, short_recipe
from .samples import picture, write_pairs


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    (folder / "below").mkdir(parents=True)
    for number, name in enumerate(("a.png", "below/b.jpg")):
        Image.fromarray(picture(197, 203, number)).save(folder / name)
    return folder


def run(*words: str | Path) -> str:
    """What the command prints; its error is raised."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def test_noise_then_index(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "noisy"
    assert "2 pairs" in run("noise", photographs, "-o", out, "--model", "gaussian", "--level", "20")
    noisy, clean = read(out / "a_noisy.png"), read(out / "a_clean.png")
    assert np.array_equal(clean, picture(197, 203, 0))
    assert (noisy - clean).std() == pytest.approx(20, rel=0.05)
    assert (out / "below" / "b_noisy.png").is_file()
    said = run("index", out, "-o", tmp_path / "index", "--crop", "192")
    assert "2 crops of 2 pairs (pairs)" in said
    assert PairIndex.open(tmp_path / "index").targets == "clean"


def test_noise_repeats_from_its_seed(photographs: Path, tmp_path: Path) -> None:
    for name, seed in (("one", "3"), ("two", "3"), ("three", "4")):
        run("noise", photographs / "below", "-o", tmp_path / name, "--seed", seed)
    one, two, three = (read(tmp_path / name / "b_noisy.png") for name in ("one", "two", "three"))
    assert np.array_equal(one, two) and not np.array_equal(one, three)


def test_nothing_is_replaced_unasked(photographs: Path, tmp_path: Path) -> None:
    words = ("noise", photographs, "-o", tmp_path / "noisy", "--model", "speckle")
    run(*words)
    with pytest.raises(OutputError, match="exists already"):
        run(*words)
    run(*words, "--force")


def test_a_bad_picture_is_found_before_any_is_written(photographs: Path, tmp_path: Path) -> None:
    (photographs / "z.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"z\.png: cannot be read"):
        run("noise", photographs, "-o", tmp_path / "noisy")
    assert not (tmp_path / "noisy").exists()


def test_two_sources_of_one_name(photographs: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(photographs / "a.jpg")
    with pytest.raises(TrainingError, match=r"a\.(png|jpg): another picture beside it has the same name"):
        run("noise", photographs, "-o", tmp_path / "noisy")


def test_pairs_can_be_listed(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=2, heavy=0)
    assert len(run("index", pairs, "--list").splitlines()) == 2
    with pytest.raises(TrainingError, match="where should the index go"):
        run("index", pairs)


def invert(tmp_path: Path) -> str:
    """A denoiser's stand-in: a program that inverts a picture."""
    script = tmp_path / "invert.py"
    script.write_text(
        "import sys\nfrom PIL import Image, ImageOps\n"
        "ImageOps.invert(Image.open(sys.argv[1])).save(sys.argv[2])\n"
    )
    return f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{input}} {{output}}"


def test_a_command_makes_targets(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "targets"
    run("denoise", photographs, "-o", out, "--command", invert(tmp_path))
    noisy, denoised = read(out / "a_noisy.png"), read(out / "a_denoised.png")
    assert np.array_equal(noisy, picture(197, 203, 0)) and np.array_equal(denoised, 255 - noisy)
    run("index", out, "-o", tmp_path / "index", "--crop", "192")
    assert PairIndex.open(tmp_path / "index").targets == "denoised"


def test_a_checkpoint_makes_targets(
    photographs: Path, make_options: OptionsMaker, tiny_model: Path, tmp_path: Path
) -> None:
    checkpoint = train(
        short_recipe(part="stem", warmup_steps=1, learning_rate=0.05), make_options(), lambda figures: None
    )
    run("denoise", photographs, "-o", tmp_path / "a", "--checkpoint", checkpoint)
    run("denoise", photographs, "-o", tmp_path / "b", "--checkpoint", tiny_model)
    for name in ("a", "b"):
        noisy, denoised = (read(tmp_path / name / f"a_{half}.png") for half in ("noisy", "denoised"))
        assert noisy.shape == denoised.shape and not np.array_equal(noisy, denoised)


def test_windows_leave_no_seam(tiny_model: Path) -> None:
    pixels = picture(200, 330, 5)
    denoiser = open_denoiser(tiny_model, "cpu")
    whole = denoiser(pixels).astype(int)
    denoiser.window = 128
    assert np.abs(denoiser(pixels) - whole).max() <= 1
    assert np.array_equal(pixels, picture(200, 330, 5))


def test_only_noisy_halves_are_denoised(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=1, heavy=0)
    assert "1 pairs" in run("denoise", pairs, "-o", tmp_path / "out", "--command", invert(tmp_path))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0_noisy.png", "0_denoised.png"}


PYTHON = shlex.quote(sys.executable)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("denoise {input}", "has no {output}"),
        ("denoise 'x", "No closing quotation"),
        ("/nowhere/denoise {input} {output}", "cannot be started"),
        (f"{PYTHON} -S -c 'import sys; sys.exit(\"too dark\")' {{input}} {{output}}", "status 1: too dark"),
        (f"{PYTHON} -S -c pass {{input}} {{output}}", "wrote no picture"),
        (f"{PYTHON} -S -c 'import sys; open(sys.argv[2], \"w\")' {{input}} {{output}}", "cannot be read"),
        (f"{PYTHON} -S -c 'import time; time.sleep(60)' {{input}} {{output}}", "took longer than 1 seconds"),
    ],
)
def test_a_command_that_does_not_denoise(command: str, reason: str) -> None:
    with pytest.raises(TrainingError) as caught:
        CommandDenoiser(command, timeout=1 if "sleep" in command else 60)(picture(8, 8, 0))
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_a_denoiser_that_changes_the_size(photographs: Path, tmp_path: Path) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "small.png")
    command = f"cp {shlex.quote(str(tmp_path / 'small.png'))} {{output}} --no-target-directory -S {{input}}"
    with pytest.raises(TrainingError, match="returned a picture of another size, 5 × 5"):
        run("denoise", photographs, "-o", tmp_path / "out", "--command", command)


def test_one_denoiser_is_named(photographs: Path, tmp_path: Path) -> None:
    for words in ((), ("--checkpoint", "a", "--command", "b {input} {output}")):
        with pytest.raises(OptionError, match="name one denoiser"):
            run("denoise", photographs, "-o", tmp_path / "out", *words)


@pytest.mark.parametrize("content", [b"", b"{}", bytes(200)])
def test_what_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(JdcError, match="weights: cannot be used as a denoiser"):
        open_denoiser(tmp_path / "weights", "cpu")
    with pytest.raises(JdcError, match="nowhere: cannot be used as a denoiser"):
        open_denoiser(tmp_path / "nowhere", "cpu")


@pytest.mark.parametrize("change", [{"stem_channels": [768, 768]}, {"stem_blocks": [32, 32]}])
def test_sizes_that_a_file_only_claims_are_not_built(
    change: dict[str, list[int]], tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with safe_open(tiny_model, framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    metadata["config"] = json.dumps({**json.loads(metadata["config"]), **change})
    save_file(arrays, tmp_path / "forged.safetensors", metadata)
    monkeypatch.setattr(denoisers, "DenoiserStem", lambda *sizes: pytest.fail("built"))
    with pytest.raises(JdcError, match="its denoiser has not the sizes"):
        open_denoiser(tmp_path / "forged.safetensors", "cpu")
