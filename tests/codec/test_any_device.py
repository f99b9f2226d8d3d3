"""A file parses to the same symbols on any device; only pixels may vary, and only slightly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

from jdcodec.codec import runtime
from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.symbols import Symbols
from jdcodec.codec.weights import load_weights
from jdcodec.container import parse
from jdcodec.errors import ModelError
from jdcodec.inference import on_openvino
from jdcodec.inference.interface import Floats
from jdcodec.inference.on_openvino import OpenVinoInference, has_fast_bf16
from jdcodec.photo import from_array

#: What runs the networks. "cpu" is OpenVINO.
DEVICES = ("cpu", "torch-cpu")


@pytest.fixture(
    scope="module", params=[(device, precision) for device in DEVICES for precision in ("fp32", "bf16")]
)
def data(request: pytest.FixtureRequest, tiny_model: Path, make_picture: PictureMaker) -> bytes:
    device, precision = request.param
    settings = EncodeSettings(
        quality=7, model=str(tiny_model), tile_size=64, device=device, precision=precision
    )
    return encode_photo(from_array(make_picture(128, 192)), settings)


def parsed(data: bytes, model: Path) -> Symbols:
    return decode_symbols(parse(data), load_weights(model.resolve()))


def pixels(data: bytes, model: Path, precision: str = "fp32", device: str = "cpu") -> NDArray[np.float32]:
    settings = DecodeSettings(dtype="float32", device=device, precision=precision, models=(str(model),))
    return decode_bytes(data, settings)


def assert_same(a: Symbols, b: Symbols) -> None:
    np.testing.assert_array_equal(a.z, b.z)
    np.testing.assert_array_equal(a.y, b.y)


@pytest.mark.parametrize("device", DEVICES)
def test_precisions_decode_alike(data: bytes, tiny_model: Path, device: str) -> None:
    difference = np.abs(pixels(data, tiny_model, "fp32", device) - pixels(data, tiny_model, "bf16", device))
    assert difference.mean() < 0.5 / 255
    assert difference.max() < 8 / 255
    if device == "torch-cpu" or has_fast_bf16():  # OpenVINO takes bf16 as a hint
        assert difference.max() > 0


def test_runtimes_decode_alike(data: bytes, tiny_model: Path) -> None:
    difference = np.abs(pixels(data, tiny_model) - pixels(data, tiny_model, device="torch-cpu"))
    assert 0 < difference.max() < 0.1 / 255


def test_two_threads(data: bytes, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for count in (1, 2):
        monkeypatch.setattr(runtime, "_networks", {})
        monkeypatch.setattr(on_openvino, "usable_cores", lambda count=count: count)
        found.append((parsed(data, tiny_model), pixels(data, tiny_model)))
        assert threads_in_use() == {min(count, available_cores())}
    if available_cores() < 2:
        pytest.skip("this process may use one processor only")
    (symbols, on_one), (symbols_on_two, on_two) = found
    assert_same(symbols, symbols_on_two)
    np.testing.assert_allclose(on_one, on_two, atol=0.5 / 255)


def threads_in_use() -> set[int]:
    """On how many threads each graph runs that has been compiled."""
    (network,) = runtime._networks.values()
    return {graph._model.get_property("INFERENCE_NUM_THREADS") for graph in network._compiled.values()}


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def test_scale_sums_in_float64(data: bytes, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = parsed(data, tiny_model)
    monkeypatch.setattr(np, "float32", np.float64)
    assert_same(parsed(data, tiny_model), expected)


def test_means_that_drift_do_not_upset_the_parse(
    data: bytes, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codecs whose means choose the tables lose all that follows at the first mean that is off."""
    expected, undisturbed = parsed(data, tiny_model), pixels(data, tiny_model)
    original = OpenVinoInference.reconstruct_latents
    generator = np.random.default_rng(0)

    def disturbed(self: OpenVinoInference, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        latents = original(self, symbols, z)
        return latents + 1e-3 * generator.standard_normal(latents.shape, np.float32)

    monkeypatch.setattr(OpenVinoInference, "reconstruct_latents", disturbed)
    assert_same(parsed(data, tiny_model), expected)
    difference = np.abs(pixels(data, tiny_model) - undisturbed)
    assert 0 < difference.max() < 2 / 255


def test_unknown_precision(tiny_model: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match="precision must be one of auto, fp32, bf16"):
        pixels(data, tiny_model, "fp16")
