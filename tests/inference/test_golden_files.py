"""The golden files through both runtimes on the CPU: the same symbols, and pixels within one level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.weights import load_weights
from jdcodec.container import parse
from jdcodec.photo import read_photo
from tests.golden.make import WEIGHTS

GOLDEN = sorted(WEIGHTS.parent.glob("*.jdc"))
OPENVINO, TORCH = "cpu", "torch-cpu"


@pytest.fixture(params=GOLDEN, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def decoded(data: bytes, device: str, dtype: str) -> NDArray[np.float64]:
    settings = DecodeSettings(dtype=dtype, device=device, precision="fp32", models=(str(WEIGHTS),))
    pixels = decode_bytes(data, settings)
    assert pixels.dtype == dtype
    return pixels.astype(np.float64)


@pytest.mark.parametrize(("dtype", "level"), [("uint8", 1), ("uint16", 16), ("float32", 1e-4)])
def test_pixels_agree(golden: Path, dtype: str, level: float) -> None:
    """Within one level of 8 bits, and far less at finer depths."""
    data = golden.read_bytes()
    on_openvino, on_torch = (decoded(data, device, dtype) for device in (OPENVINO, TORCH))
    assert on_openvino.shape == on_torch.shape
    assert np.abs(on_openvino - on_torch).max() <= level
    if dtype == "uint8":
        with Image.open(golden.with_suffix(".png")) as image:
            expected = np.asarray(image.convert("RGB")).astype(float)
        for pixels in (on_openvino, on_torch):
            assert np.abs(pixels - expected).max() <= 1


def test_each_reads_the_symbols_that_the_other_wrote(golden: Path) -> None:
    """The picture of a golden file is coded again by both: but for rounding edges they choose alike."""
    photo, weights = read_photo(golden.with_suffix(".png")), load_weights(WEIGHTS)
    files, symbols = {}, {}
    for device in (OPENVINO, TORCH):
        settings = EncodeSettings(model=str(WEIGHTS), device=device, precision="fp32", tile_size=64)
        files[device] = encode_photo(photo, settings)
        symbols[device] = decode_symbols(parse(files[device]), weights)
    for name in ("z", "y"):
        ours, others = (getattr(symbols[device], name) for device in (OPENVINO, TORCH))
        assert np.mean(ours != others) < 1e-3
    for written in (OPENVINO, TORCH):
        pixels = [decoded(files[written], device, "uint8") for device in (OPENVINO, TORCH)]
        assert np.abs(pixels[0] - pixels[1]).max() <= 1
