"""`jdcodec.encode` and `jdcodec.decode`: every size and kind of array comes back as what it was."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray
from PIL import Image

import jdcodec
from jdcodec.codec import runtime
from jdcodec.container import parse, serialize
from jdcodec.errors import JdcError, ModelError, PhotoError
from jdcodec.inference.graphs import Graphs

SIZES = [(1, 1), (3, 5), (64, 64), (65, 130), (200, 100)]


def rms(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    return float(np.sqrt(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_sizes(height: int, width: int, tiny_model: Path, make_picture: PictureMaker) -> None:
    picture = make_picture(height, width)
    data = jdcodec.encode(picture, quality=8, denoise=0, model=str(tiny_model))
    header = parse(data).header
    assert (header.width, header.height, header.bit_depth, header.gray) == (width, height, 8, False)
    decoded = jdcodec.decode(data, model=str(tiny_model))
    assert decoded.shape == (height, width, 3) and decoded.dtype == np.uint8
    if min(height, width) >= 64:
        # The network's parameters are random: it is the picture that comes back, but not a good copy.
        assert rms(decoded, picture) < 0.7 * rms(decoded, np.roll(picture, 32, axis=(0, 1)))


def test_kinds_of_arrays_give_the_same_pixels(tiny_model: Path, make_picture: PictureMaker) -> None:
    picture = make_picture(70, 90)
    as_uint16 = picture.astype(np.uint16) * 257
    as_float = (picture / 255).astype(np.float32)
    decoded = [
        jdcodec.decode(jdcodec.encode(array, model=str(tiny_model)), model=str(tiny_model))
        for array in (picture, as_uint16, as_float, Image.fromarray(picture))
    ]
    for other in decoded[1:]:
        np.testing.assert_allclose(other.astype(int), decoded[0], atol=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_gray_comes_back_gray(dtype: str, tiny_model: Path, make_picture: PictureMaker) -> None:
    gray = make_picture(65, 66)[:, :, 1]
    data = jdcodec.encode(gray, model=str(tiny_model))
    assert parse(data).header.gray
    decoded = jdcodec.decode(data, model=str(tiny_model), dtype=dtype)
    assert decoded.shape == (65, 66, 3)
    assert (decoded == decoded[:, :, :1]).all()


def test_gray_is_the_mean_of_the_channels(tiny_model: Path, make_picture: PictureMaker) -> None:
    file = parse(jdcodec.encode(make_picture(64, 70)[:, :, 0], model=str(tiny_model)))
    colour = dataclasses.replace(file, header=dataclasses.replace(file.header, gray=False))
    gray, rgb = (
        jdcodec.decode(serialize(each), model=str(tiny_model), dtype="float32") for each in (file, colour)
    )
    assert rgb.std(axis=2).max() > 0.01
    np.testing.assert_allclose(gray[:, :, 0], rgb.mean(axis=2), atol=1e-6)


def test_a_path_is_read(tiny_model: Path, make_picture: PictureMaker, tmp_path: Path) -> None:
    picture = make_picture(30, 40)
    path = tmp_path / "photo.png"
    Image.fromarray(picture).save(path)
    from_path = jdcodec.encode(str(path), model=str(tiny_model))
    np.testing.assert_array_equal(
        jdcodec.decode(from_path, model=str(tiny_model)),
        jdcodec.decode(jdcodec.encode(picture, model=str(tiny_model)), model=str(tiny_model)),
    )


def test_bytes_are_deterministic(tiny_model: Path, make_picture: PictureMaker) -> None:
    picture = make_picture(100, 140)
    first = jdcodec.encode(picture, quality=3.3, model=str(tiny_model))
    assert jdcodec.encode(picture.copy(), quality=3.3, model=str(tiny_model)) == first


def test_data_may_be_any_buffer(tiny_model: Path, make_picture: PictureMaker) -> None:
    data = jdcodec.encode(make_picture(20, 20), model=str(tiny_model))
    pixels = jdcodec.decode(data, model=str(tiny_model))
    for buffer in (bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(jdcodec.decode(buffer, model=str(tiny_model)), pixels)


def test_types_of_decoded_pixels_agree(tiny_model: Path, make_picture: PictureMaker) -> None:
    data = jdcodec.encode(make_picture(70, 130), quality=6, model=str(tiny_model))
    small, large, real = (
        jdcodec.decode(data, model=str(tiny_model), dtype=dtype) for dtype in ("uint8", "uint16", "float32")
    )
    assert (small.dtype, large.dtype, real.dtype) == (np.uint8, np.uint16, np.float32)
    assert real.min() >= 0 and real.max() <= 1
    # Halves fall either way in float32, whose steps are 1/256 of a level of 65535.
    assert np.abs(small - real.astype(np.float64) * 255).max() <= 0.5 + 1e-4
    assert np.abs(large - real.astype(np.float64) * 65535).max() <= 0.5 + 1 / 128


def test_denoise_0_leaves_the_picture_to_the_codec(
    tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = make_picture(64, 64)

    def fail(*arguments: object) -> None:
        raise AssertionError("the denoiser was used")

    monkeypatch.setattr(runtime, "_networks", {})
    monkeypatch.setattr(Graphs, "denoiser", fail)
    jdcodec.encode(picture, denoise=0.0, model=str(tiny_model))
    with pytest.raises(AssertionError, match="denoiser was used"):
        jdcodec.encode(picture, denoise=0.5, model=str(tiny_model))


def test_denoise_changes_the_file(tiny_model: Path, make_picture: PictureMaker) -> None:
    picture = make_picture(64, 64)
    files = {jdcodec.encode(picture, denoise=share, model=str(tiny_model)) for share in (0, 0.5, 1)}
    assert len(files) == 3


@pytest.mark.parametrize(
    ("settings", "error", "reason"),
    [
        ({"quality": 0.9}, JdcError, "quality must lie between 1 and 8"),
        ({"quality": float("nan")}, JdcError, "quality must lie between 1 and 8"),
        ({"denoise": 1.1}, JdcError, "denoise must lie between 0 and 1"),
        ({"denoise": float("nan")}, JdcError, "denoise must lie between 0 and 1"),
        ({"model": "no such model"}, ModelError, "no model 'no such model'"),
        ({"device": "abacus"}, ModelError, "device 'abacus' cannot be used"),
    ],
)
def test_settings_out_of_range(
    settings: dict[str, object], error: type[JdcError], reason: str, tiny_model: Path
) -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(error, match=reason) as caught:
        jdcodec.encode(picture, **{"model": str(tiny_model), **settings})  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_unknown_type_of_pixels(tiny_model: Path) -> None:
    with pytest.raises(JdcError, match="dtype must be one of uint8, uint16, float32"):
        jdcodec.decode(b"", dtype="int8")


def test_an_array_that_is_no_picture(tiny_model: Path) -> None:
    with pytest.raises(PhotoError):
        jdcodec.encode(np.zeros((4, 4, 7), np.uint8), model=str(tiny_model))
