"""Grain through whole files: written by the encoder, put back on demand, shown by `jdc info`."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

import jdcodec
from jdcodec.cli import app
from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.region import Region, View, decode_view
from jdcodec.codec.salvage import salvage
from jdcodec.codec.weights import shipped_models
from jdcodec.container import Reader, parse, serialize
from jdcodec.container.grain import Grain, pack_grain, unpack_grain
from jdcodec.errors import FormatError, JdcError
from jdcodec.photo import from_array

HEIGHT, WIDTH = 200, 240
GRAIN = Grain(9, ((60,) * 8,) * 3, (5, 6, 7), (50, 255, 200, 80, 20), (10, 255, 200, 80, 20))
needs_model = pytest.mark.skipif("fast" not in shipped_models(), reason="no weights/fast.safetensors")


def noisy_picture() -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH] / 64.0
    smooth = np.stack([0.5 + 0.2 * np.sin(rows + k) * np.cos(columns - k) for k in range(3)], axis=2)
    noise = np.random.default_rng(0).normal(0, 0.05, smooth.shape)
    return np.rint(255 * (smooth + noise).clip(0, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def coded(tiny_model: Path) -> bytes:
    """A file with a grain section that was put there."""
    data = encode_photo(from_array(noisy_picture()), EncodeSettings(model=str(tiny_model), tile_size=64))
    return with_grain(data, pack_grain(GRAIN))


def with_grain(data: bytes, payload: bytes | None) -> bytes:
    file = parse(data)
    return serialize(replace(file, metadata=replace(file.metadata, grain=payload)))


@pytest.fixture(scope="module")
def settings(tiny_model: Path) -> DecodeSettings:
    return DecodeSettings(device="cpu", precision="fp32", models=(str(tiny_model),))


def test_nothing_is_added_unless_asked_for(coded: bytes, settings: DecodeSettings) -> None:
    plain = decode_bytes(coded, settings)
    np.testing.assert_array_equal(plain, decode_bytes(with_grain(coded, None), settings))
    np.testing.assert_array_equal(plain, decode_bytes(with_grain(coded, None), replace(settings, grain=1.0)))
    grained = decode_bytes(coded, replace(settings, grain=1.0))
    assert np.abs(grained.astype(int) - plain).mean() > 2
    np.testing.assert_array_equal(grained, decode_bytes(coded, replace(settings, grain=1.0)))


def test_a_region_has_the_grain_of_the_whole(coded: bytes, settings: DecodeSettings) -> None:
    grained = replace(settings, grain=1.0)
    whole = decode_bytes(coded, grained).astype(int)
    part = decode_view(Reader(io.BytesIO(coded)), View(Region(70, 61, 90, 100)), grained)
    # Decoding itself may differ by a level, and grain follows brightness.
    assert np.abs(part - whole[61:161, 70:160]).max() <= 2
    preview = decode_view(Reader(io.BytesIO(coded)), View(scale=4), grained)
    plain = decode_view(Reader(io.BytesIO(coded)), View(scale=4), settings)
    assert 0 < np.abs(preview.astype(int) - plain).mean() < 4


def test_salvage_keeps_the_grain(coded: bytes, settings: DecodeSettings) -> None:
    damaged = bytearray(coded)
    damaged[-40] ^= 1
    grained = replace(settings, grain=1.0)
    saved = salvage(bytes(damaged), View(), grained)
    assert saved.lost
    whole = decode_bytes(coded, grained)
    np.testing.assert_allclose(saved.pixels[:16, :16].astype(int), whole[:16, :16], atol=2)


@pytest.mark.parametrize("payload", [b"", b"\7", pack_grain(GRAIN)[:-1], pack_grain(GRAIN) + b"x", bytes(42)])
def test_a_bad_section_matters_only_to_those_who_want_grain(
    payload: bytes, coded: bytes, settings: DecodeSettings
) -> None:
    bad = with_grain(coded, payload)
    np.testing.assert_array_equal(decode_bytes(bad, settings), decode_bytes(coded, settings))
    for read in (
        lambda: decode_bytes(bad, replace(settings, grain=0.5)),
        lambda: decode_view(Reader(io.BytesIO(bad)), View(scale=8), replace(settings, grain=0.5)),
    ):
        with pytest.raises(FormatError, match=r"^grain .*; decode it without grain$"):
            read()


@pytest.mark.parametrize("grain", [-0.1, 1.1, float("nan")])
def test_grain_out_of_range(grain: float) -> None:
    with pytest.raises(JdcError, match="grain must lie between 0 and 1"):
        DecodeSettings(grain=grain)


def test_the_command(coded: bytes, tiny_model: Path, tmp_path: Path) -> None:
    runner, file = CliRunner(), tmp_path / "photo.jdc"
    file.write_bytes(coded)
    for amount in ("0", "0.5"):
        arguments = ["decode", str(file), "-o", str(tmp_path / f"{amount}.ppm"), "--model", str(tiny_model)]
        assert runner.invoke(app, [*arguments, "--grain", amount]).exit_code == 0
    assert (tmp_path / "0.ppm").read_bytes() != (tmp_path / "0.5.ppm").read_bytes()
    assert runner.invoke(app, ["decode", str(file), "--grain", "1.5"]).exit_code == 2

    printed = runner.invoke(app, ["info", str(file)]).output
    assert "grain  7.0 to 7.0 of 255 levels of noise were removed\n" in printed
    facts = json.loads(runner.invoke(app, ["info", str(file), "--json"]).output)
    assert facts["grain"]["luma_deviation"] == [round(60**2 / 512, 2)] * 8
    assert facts["grain_bytes"] == 42
    file.write_bytes(with_grain(coded, b"\2"))
    assert "unreadable: grain of version 2" in runner.invoke(app, ["info", str(file)]).output
    file.write_bytes(with_grain(coded, None))
    assert json.loads(runner.invoke(app, ["info", str(file), "--json"]).output)["grain"] is None


@needs_model
def test_decoded_grain_has_the_strength_of_the_removed_noise() -> None:
    noisy = noisy_picture()
    data = encode_photo(from_array(noisy), EncodeSettings(quality=6))
    payload = parse(data).metadata.grain
    assert payload is not None and len(payload) < 64
    assert unpack_grain(payload).deviation_levels[0][4] > 2

    def roughness(pixels: NDArray[np.uint8]) -> float:
        values = pixels.astype(float)
        return float((values[:, 1:] - values[:, :-1]).std() / 2**0.5)

    plain = decode_bytes(data, DecodeSettings())
    grained = decode_bytes(data, DecodeSettings(grain=1.0))
    assert roughness(plain) < 0.4 * roughness(noisy)
    assert roughness(grained) == pytest.approx(roughness(noisy), rel=0.2)


@needs_model
def test_what_was_not_denoised_has_no_grain() -> None:
    data = encode_photo(from_array(noisy_picture()), EncodeSettings(quality=3, denoise=0))
    assert parse(data).metadata.grain is None


@needs_model
@pytest.mark.parametrize(("height", "width"), [(97, 131), (100, 150)])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_smooth_colours_have_no_grain(height: int, width: int) -> None:
    """The networks shift the colours of a gradient by a little, and take nothing from its luma."""
    y, x = np.mgrid[:height, :width]
    ramps = (x * 255 // (width - 1), y * 255 // (height - 1), (x + y) * 255 // (height + width - 2))
    data = jdcodec.encode(np.stack(ramps, axis=2).astype(np.uint8))
    assert jdcodec.read(data).metadata.grain is None
