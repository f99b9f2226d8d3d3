"""Files written once must decode for ever: fields, symbols and, within a level, pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.weights import load_weights
from jdcodec.errors import JdcError

from .make import WEIGHTS, fields, symbol_hash

GOLDEN = sorted(Path(__file__).parent.glob("*.jdc"))


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_are_golden_files() -> None:
    assert len(GOLDEN) == 4


def test_fields_and_symbols(golden: Path) -> None:
    expected = json.loads(golden.with_suffix(".json").read_text(encoding="utf-8"))
    assert fields(golden.read_bytes(), load_weights(WEIGHTS)) == expected


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_pixels(golden: Path, precision: str) -> None:
    with Image.open(golden.with_suffix(".png")) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    settings = DecodeSettings(device="cpu", precision=precision, models=(str(WEIGHTS),))
    decoded = decode_bytes(golden.read_bytes(), settings).astype(int)
    assert decoded.shape == expected.shape
    # In bf16 pixels may drift a little; the symbols, which the other test checks, may not.
    assert np.abs(decoded - expected).max() <= (1 if precision == "fp32" else 4)


def test_symbols_do_not_depend_on_the_order_of_sums(golden: Path) -> None:
    """The hyperlatents' channels in reverse: another order of summation, the same levels and symbols."""
    from dataclasses import replace

    weights = load_weights(WEIGHTS)
    original = type(weights.tables).scale_indices
    swapped = replace(weights.tables, scale_weight=np.ascontiguousarray(weights.tables.scale_weight[:, ::-1]))

    class Reversed(type(weights.tables)):  # type: ignore[misc]
        def scale_indices(self, z: np.ndarray, quality_step: int) -> np.ndarray:  # type: ignore[type-arg]
            return original(swapped, np.ascontiguousarray(z[::-1]), quality_step)

    tables = Reversed(**weights.tables.to_arrays())
    data = golden.read_bytes()
    assert symbol_hash(data, replace(weights, tables=tables)) == symbol_hash(data, weights)


@pytest.mark.parametrize("cut", [0, 7, 8, 30, 60, -1, -13, -20])
def test_cut_files_are_errors(golden: Path, cut: int) -> None:
    data = golden.read_bytes()
    with pytest.raises(JdcError):
        decode_bytes(data[:cut], DecodeSettings(device="cpu", models=(str(WEIGHTS),)))


def test_flipped_bits_are_errors(golden: Path) -> None:
    data = golden.read_bytes()
    settings = DecodeSettings(device="cpu", models=(str(WEIGHTS),))
    for position in np.random.default_rng(1).integers(0, 8 * len(data), 60).tolist():
        damaged = bytearray(data)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(JdcError):
            decode_bytes(bytes(damaged), settings)
