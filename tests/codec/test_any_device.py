"""A file parses to the same symbols on any device; only pixels may vary, and only slightly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import PictureMaker
from numpy.typing import NDArray
from torch import Tensor

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.symbols import Symbols
from jdcodec.codec.weights import load_weights
from jdcodec.container import parse
from jdcodec.errors import ModelError
from jdcodec.model.entropy_model import EntropyModel
from jdcodec.photo import from_array


@pytest.fixture(scope="module", params=["fp32", "bf16"])
def data(request: pytest.FixtureRequest, tiny_model: Path, make_picture: PictureMaker) -> bytes:
    settings = EncodeSettings(quality=7, model=str(tiny_model), tile_size=64, precision=request.param)
    return encode_photo(from_array(make_picture(128, 192)), settings)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def parsed(data: bytes, model: Path) -> Symbols:
    return decode_symbols(parse(data), load_weights(model.resolve()))


def pixels(data: bytes, model: Path, precision: str = "fp32") -> NDArray[np.float32]:
    settings = DecodeSettings(dtype="float32", precision=precision, models=(str(model),))
    return decode_bytes(data, settings)


def assert_same(a: Symbols, b: Symbols) -> None:
    np.testing.assert_array_equal(a.z, b.z)
    np.testing.assert_array_equal(a.y, b.y)


def test_precisions_decode_alike(data: bytes, tiny_model: Path) -> None:
    difference = np.abs(pixels(data, tiny_model, "fp32") - pixels(data, tiny_model, "bf16"))
    assert difference.mean() < 0.5 / 255
    assert 0 < difference.max() < 8 / 255


def test_two_threads(data: bytes, tiny_model: Path, two_threads: None) -> None:
    on_two = parsed(data, tiny_model), pixels(data, tiny_model)
    torch.set_num_threads(1)
    assert_same(on_two[0], parsed(data, tiny_model))
    np.testing.assert_allclose(on_two[1], pixels(data, tiny_model), atol=0.5 / 255)


def test_scale_sums_in_float64(data: bytes, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = parsed(data, tiny_model)
    monkeypatch.setattr(np, "float32", np.float64)
    assert_same(parsed(data, tiny_model), expected)


def test_means_that_drift_do_not_upset_the_parse(
    data: bytes, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codecs whose means choose the tables lose all that follows at the first mean that is off."""
    expected, undisturbed = parsed(data, tiny_model), pixels(data, tiny_model)
    original = EntropyModel.features
    generator = torch.Generator().manual_seed(0)

    def disturbed(self: EntropyModel, z_hat: Tensor) -> Tensor:
        features = original(self, z_hat)
        return features + 1e-3 * torch.randn(features.shape, generator=generator)

    monkeypatch.setattr(EntropyModel, "features", disturbed)
    assert_same(parsed(data, tiny_model), expected)
    difference = np.abs(pixels(data, tiny_model) - undisturbed)
    assert 0 < difference.max() < 2 / 255


def test_unknown_precision(tiny_model: Path, data: bytes) -> None:
    with pytest.raises(ModelError, match="precision must be one of auto, fp32, bf16"):
        pixels(data, tiny_model, "fp16")
