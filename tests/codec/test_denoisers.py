"""Photos whose noise has no colour get the denoiser made for it; all others keep that of the weights."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

import jdcodec
from jdcodec.codec import encoder
from jdcodec.codec.denoisers import (
    has_no_colour,
    luma_denoiser_id,
    luma_denoiser_of,
    save_denoiser,
    with_denoiser_for,
    with_luma_denoiser,
)
from jdcodec.codec.noise import may_lack_colour
from jdcodec.codec.runtime import start_inference
from jdcodec.codec.weights import Weights, find_model, load_weights, shipped_models
from jdcodec.errors import ModelError
from jdcodec.inference.interface import Inference

needs_fast = pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")


def start(weights: Weights) -> Inference:
    return start_inference(weights, 5.0)


def scene(height: int = 320, width: int = 384) -> NDArray[np.float64]:
    """Smooth colours, with an edge."""
    rows, columns = np.mgrid[:height, :width]
    ramps = [60 + 90 * columns / width, 120 + 40 * rows / height, 140 - 60 * columns / width]
    picture = np.stack(ramps, axis=2)
    picture[:, : width // 3] *= 0.8
    return picture


def noisy(clean: NDArray[np.float64], *, colour: bool, level: float = 6.0) -> NDArray[np.uint8]:
    channels = 3 if colour else 1
    noise = np.random.default_rng(0).normal(0, level, (*clean.shape[:2], channels))
    return np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def rms(a: NDArray[np.uint8], b: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((a - b) ** 2)))


@pytest.fixture
def with_other(tiny_model: Path, tmp_path: Path) -> Path:
    """A model that has a denoiser for noise without colour."""
    path = tmp_path / "mine.safetensors"
    shutil.copy(tiny_model, path)
    luma_denoiser_of(path).parent.mkdir()
    arrays = load_weights(tiny_model.resolve()).network
    save_denoiser(luma_denoiser_of(path), {name: array * 0.5 for name, array in arrays.items()})
    return path


@needs_fast
@pytest.mark.parametrize("gray", [False, True])
def test_noise_without_colour_goes(gray: bool) -> None:
    clean = scene()
    if gray:
        clean = np.repeat(clean.mean(2, keepdims=True), 3, axis=2)
    picture = noisy(clean, colour=False)
    kept, gone = (jdcodec.decode(jdcodec.encode(picture, quality=7, denoise=d)) for d in (0.0, 1.0))
    assert rms(kept, clean) > 4
    assert rms(gone, clean) < 0.35 * rms(kept, clean)
    # `auto` sees it, too.
    assert jdcodec.info(jdcodec.encode(picture, denoise="auto")).denoise == 1


@needs_fast
def test_each_photo_gets_the_denoiser_that_fits() -> None:
    weights = find_model("fast")

    def chosen(picture: NDArray[np.uint8]) -> str:
        return with_denoiser_for(picture, weights, start).denoiser

    clean = scene()
    luma = luma_denoiser_id(weights)
    assert len(luma) == 32
    assert chosen(noisy(clean, colour=False)) == luma
    assert chosen(noisy(clean, colour=True)) == ""
    assert chosen(np.rint(clean).astype(np.uint8)) == ""
    gray = np.rint(clean).astype(np.uint8)[..., :1].repeat(3, axis=2)
    assert chosen(gray) == luma
    assert chosen(noisy(clean, colour=False).astype(np.uint16) * 257) == luma


def test_details_without_colour_are_seen_at_any_size(make_picture: PictureMaker) -> None:
    clean = scene()
    assert may_lack_colour(noisy(clean, colour=False)) and not may_lack_colour(noisy(clean, colour=True))
    assert not may_lack_colour(np.rint(clean).astype(np.uint8))
    for size in ((1, 1), (7, 300), (8, 8), (9, 1)):
        assert not may_lack_colour(np.full((*size, 3), 100, np.uint8))
        assert not may_lack_colour(np.zeros((*size, 3), np.uint16))


def test_equal_channels_are_no_colour() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 1), np.uint8).repeat(3, axis=2)
    assert has_no_colour(picture)
    picture[17, 33, 2] ^= 1
    assert not has_no_colour(picture)


def test_files_are_those_of_the_weights_themselves(
    with_other: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    """Decoders need not have it: the model id and what decodes are the same."""
    gray = make_picture(100, 130)[..., :1].repeat(3, axis=2)
    own, other = (jdcodec.encode(gray, quality=6, model=str(model)) for model in (tiny_model, with_other))
    assert own != other
    assert jdcodec.decode(other, model=str(tiny_model)).shape == gray.shape
    unchanged = [jdcodec.encode(gray, denoise=0.0, model=str(model)) for model in (tiny_model, with_other)]
    assert unchanged[0] == unchanged[1]
    colour = make_picture(100, 130)
    assert jdcodec.encode(colour, model=str(with_other)) == jdcodec.encode(colour, model=str(tiny_model))


def test_networks_of_both_are_kept_apart(with_other: Path, make_picture: PictureMaker) -> None:
    gray, colour = make_picture(64, 64)[..., :1].repeat(3, axis=2), make_picture(64, 64)
    once = [jdcodec.encode(picture, model=str(with_other)) for picture in (gray, colour)]
    again = [jdcodec.encode(picture, model=str(with_other)) for picture in (colour, gray)]
    assert once == again[::-1]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a readable denoiser"),
        (b"x" * 200, "not a readable denoiser"),
        (None, "not a jdcodec denoiser"),
    ],
)
def test_bad_denoisers_are_refused(
    content: bytes | None, reason: str, with_other: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    path = luma_denoiser_of(with_other)
    path.write_bytes(tiny_model.read_bytes() if content is None else content)
    gray = make_picture(64, 64)[..., :1].repeat(3, axis=2)
    with pytest.raises(ModelError, match=reason) as caught:
        jdcodec.encode(gray, model=str(with_other))
    assert "\n" not in str(caught.value)


def test_damage_to_a_denoiser_is_seen(with_other: Path, make_picture: PictureMaker) -> None:
    """Nothing in the file of a photo would tell that it was made with it."""
    path = luma_denoiser_of(with_other)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    gray = make_picture(64, 64)[..., :1].repeat(3, axis=2)
    with pytest.raises(ModelError, match="does not match its id"):
        jdcodec.encode(gray, model=str(with_other))


def test_a_denoiser_that_was_replaced_is_another(with_other: Path, make_picture: PictureMaker) -> None:
    gray = make_picture(64, 64)[..., :1].repeat(3, axis=2)
    weights = load_weights(with_other)
    before = luma_denoiser_id(weights), jdcodec.encode(gray, model=str(with_other))
    save_denoiser(luma_denoiser_of(with_other), weights.network, force=True)
    after = luma_denoiser_id(weights), jdcodec.encode(gray, model=str(with_other))
    assert before[0] != after[0] and before[1] != after[1]
    luma_denoiser_of(with_other).unlink()
    assert luma_denoiser_id(weights) == ""


def test_a_denoiser_of_another_network_is_refused(with_other: Path) -> None:
    weights = load_weights(with_other)
    arrays = dict(weights.network)
    name = next(name for name in arrays if name.startswith("denoiser."))
    save_denoiser(luma_denoiser_of(with_other), {**arrays, name: np.zeros(3)}, force=True)
    with pytest.raises(ModelError, match="does not fit"):
        with_luma_denoiser(replace(weights, path=with_other))


def test_without_another_denoiser_nothing_is_measured(
    tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder._PhotoCoder, "_start", None)
    weights = load_weights(tiny_model.resolve())
    assert with_denoiser_for(make_picture(64, 64), weights, None) is weights  # type: ignore[arg-type]
