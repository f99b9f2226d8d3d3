"""Denoisers from checkpoints before a codec."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from jdcodec.bench.denoisers import DenoiseFirst
from jdcodec.bench.registry import Choice, choose
from jdcodec.bench.trained import split_front
from jdcodec.errors import JdcError
from jdcodec.reference.stored import KEY, describe

from .conftest import make_picture
from .stored import store


def fronts(*names: str) -> list[DenoiseFirst]:
    chosen = choose(names, Choice(device="cpu"))
    assert all(isinstance(codec, DenoiseFirst) for codec in chosen)
    return [codec for codec in chosen if isinstance(codec, DenoiseFirst)]


@pytest.mark.parametrize("name", ["unet", "dncnn", "dncnn-small", "residual-gray"])
def test_a_checkpoints_denoiser_goes_before_a_codec(name: str, tmp_path: Path) -> None:
    from jdcodec.training.denoisers import open_denoiser

    path = store(tmp_path / "run", name)
    (front,) = fronts(f"denoiser:{path.parent}+jpeg")
    version = front.prepare()
    assert version.startswith(f"{name} ") and "Pillow" in version
    assert front.title == f"{name}, then JPEG (Pillow)" or front.title.startswith(f"{name} (run), then JPEG")
    pixels = make_picture(3, 50, 70)
    pixels.flags.writeable = False
    expected = open_denoiser(path, "cpu")(pixels.copy())
    assert not np.array_equal(expected, pixels)
    coded = front.code(pixels, 90)
    np.testing.assert_array_equal(coded.pixels, front.codec.code(expected, 90).pixels)


def test_the_stem_of_jdcs_own_weights(tiny_model: Path) -> None:
    """Torch runs it here and OpenVINO in "stem+jpeg", on the same weights."""
    (trained,) = fronts(f"denoiser:{tiny_model}+jpeg")
    (own,) = choose(("stem+jpeg",), Choice(model=str(tiny_model), device="cpu"))
    assert isinstance(own, DenoiseFirst)
    assert trained.denoiser.load().startswith("stem ")
    own.denoiser.load()
    pixels = make_picture(2, 64, 128)
    first, second = (front.denoiser.run(pixels)[0].astype(int) for front in (trained, own))
    assert np.abs(first - second).max() <= 3  # one of them may be in bf16
    assert np.abs(first - pixels).max() > 3


def test_codecs_behind_one_checkpoint_share_what_it_denoised(tmp_path: Path) -> None:
    path = store(tmp_path / "run", "dncnn-small")
    first, second = fronts(f"denoiser:{path}+jpeg", f"denoiser:{path}+webp")
    assert first.denoiser is second.denoiser


def test_the_version_follows_the_file(tmp_path: Path) -> None:
    paths = [store(tmp_path / f"run{scale}", "dncnn-small", scale=scale) for scale in (1.0, 1.1)]
    first, second = fronts(*(f"denoiser:{path}+jpeg" for path in paths))
    assert first.denoiser.load() != second.denoiser.load()


def test_a_path_that_exists_may_have_a_plus_in_it(tmp_path: Path) -> None:
    store(tmp_path / "a+b", "dncnn-small")
    folder = f"denoiser:{tmp_path}/a+b"
    assert split_front(f"{folder}+nlm+jpeg") == (folder, "nlm+jpeg")
    assert split_front(f"{folder}/checkpoint.safetensors+jxl") == (f"{folder}/checkpoint.safetensors", "jxl")
    assert split_front("denoiser:missing+nlm+jpeg") == ("denoiser:missing", "nlm+jpeg")
    assert split_front("denoiser:missing") == ("denoiser:missing", "")
    (front,) = fronts(f"{folder}+jpeg")
    assert (front.denoiser.name, front.codec.name) == (folder, "jpeg")


@pytest.mark.parametrize("name", ["denoiser:{}", "denoiser:{}+"])
def test_a_denoiser_without_a_codec(name: str, tmp_path: Path) -> None:
    path = store(tmp_path / "run", "dncnn-small")
    with pytest.raises(JdcError, match=r"a denoiser goes before a codec, as in denoiser:.*\+jxl"):
        choose((name.format(path),), Choice())


def test_a_codec_is_no_denoiser(tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    save_file({"average/a": torch.zeros(1)}, path, {KEY: describe("manypriors", {})})
    with pytest.raises(JdcError, match="manypriors is a codec and no denoiser; it is called ref:"):
        fronts(f"denoiser:{path}+jpeg")


def test_several_checkpoints_are_not_one_denoiser(tmp_path: Path) -> None:
    for number in range(2):
        store(tmp_path / str(number), "dncnn-small")
    with pytest.raises(JdcError, match="2 checkpoints, but a denoiser is one"):
        fronts(f"denoiser:{tmp_path}/*+jpeg")


def test_a_missing_file() -> None:
    with pytest.raises(JdcError, match="no checkpoint there"):
        fronts("denoiser:missing.safetensors+jpeg")


@pytest.mark.parametrize("content", [b"", b"text", (1 << 62).to_bytes(8, "little") + b"{}"])
def test_other_files_are_one_clear_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    path.write_bytes(content)
    (front,) = fronts(f"denoiser:{path}+jpeg")
    with pytest.raises(JdcError, match=r"some\.safetensors: cannot be used as a denoiser on cpu") as caught:
        front.prepare()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["unet", "dncnn"])
def test_a_denoiser_by_the_name_of_its_architecture_alone(name: str) -> None:
    with pytest.raises(
        JdcError, match=r"has to be trained .* denoiser:PATH\+CODEC; jdc's own is called stem"
    ):
        choose((f"{name}+jpeg",), Choice())


def test_a_codec_by_the_name_of_its_architecture_alone() -> None:
    with pytest.raises(JdcError, match=r"codec 'manypriors' has to be trained .* call it ref:PATH$"):
        choose(("manypriors",), Choice())
