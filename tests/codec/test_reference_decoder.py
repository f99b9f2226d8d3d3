"""A decoder written from `docs/format.md`, in numpy, gives the pixels that `jdcodec.decode` gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import NetworkMaker, PictureMaker

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.weights import load_weights, save_weights
from jdcodec.container import parse
from jdcodec.photo import from_array

from .reference import ReferenceNetwork


@pytest.mark.parametrize(("model", "units"), [("tiny_model", 3), ("scalar_model", 1)])
@pytest.mark.parametrize("name", ["fast", "best"])
@pytest.mark.parametrize("quality", [1, 5.5, 8])
def test_same_pixels(
    name: str,
    quality: float,
    model: str,
    units: int,
    request: pytest.FixtureRequest,
    make_network: NetworkMaker,
    make_picture: PictureMaker,
    tmp_path: Path,
) -> None:
    network = make_network(name)
    path = tmp_path / "weights.safetensors"
    parameters = {key: tensor.half().numpy() for key, tensor in network.state_dict().items()}
    tables = load_weights(request.getfixturevalue(model).resolve()).tables
    save_weights(path, network.config, parameters, tables)

    photo = from_array(make_picture(70, 100))
    data = encode_photo(photo, EncodeSettings(quality=quality, model=str(path), tile_size=64))
    settings = DecodeSettings(dtype="float32", precision="fp32", device="cpu", models=(str(path),))
    file = parse(data)
    symbols = decode_symbols(file, load_weights(path.resolve()))
    network_of_file = ReferenceNetwork(str(path), file.header.quality_code)
    assert network_of_file.units == tables.units == units
    reference = network_of_file.decode(symbols.z, symbols.y)

    assert reference.shape == (3, 128, 128)
    expected = reference[:, :70, :100].transpose(1, 2, 0)
    np.testing.assert_allclose(decode_bytes(data, settings), expected, atol=0.1 / 255)
