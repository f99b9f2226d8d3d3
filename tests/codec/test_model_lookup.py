"""A file names its model; without it, the error says which one is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NetworkMaker, PictureMaker

import jdcodec
from jdcodec.codec import weights as weights_module
from jdcodec.codec.weights import build_network, find_model, load_weights, save_weights, shipped_models
from jdcodec.container import parse
from jdcodec.errors import ModelError


@pytest.fixture
def data(tiny_model: Path, make_picture: PictureMaker) -> bytes:
    return jdcodec.encode(make_picture(20, 30), model=str(tiny_model))


@pytest.fixture
def other_model(tiny_model: Path, tmp_path: Path) -> Path:
    """As `tiny_model`, but for one parameter that differs in its last bit."""
    weights = load_weights(tiny_model.resolve())
    network = dict(weights.network)
    network["gain.offset"] = np.nextafter(network["gain.offset"], np.float16(100))
    save_weights(tmp_path / "other.safetensors", weights.config, network, weights.tables)
    return tmp_path / "other.safetensors"


def test_unknown_model_is_named(data: bytes) -> None:
    identity = parse(data).header.model_id.hex()
    with pytest.raises(ModelError, match=f"needs the model {identity}"):
        jdcodec.decode(data)


def test_weights_that_differ_a_little_are_another_model(data: bytes, other_model: Path) -> None:
    with pytest.raises(ModelError, match="needs the model"):
        jdcodec.decode(data, model=str(other_model))


def test_id_is_that_of_the_header(data: bytes, tiny_model: Path, other_model: Path) -> None:
    assert find_model(str(tiny_model)).model_id == parse(data).header.model_id
    assert find_model(str(other_model)).model_id != parse(data).header.model_id


def test_a_candidate_that_does_not_exist(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model .*nowhere\.safetensors"):
        jdcodec.decode(data, model=str(tmp_path / "nowhere.safetensors"))


def test_shipped_models_are_found_by_id(
    data: bytes, tiny_model: Path, other_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside a damaged weights file and another model, the right one is found by what it says it is."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "a.safetensors").write_bytes(b"not a weights file")
    shutil.copy(other_model, folder / "b.safetensors")
    shutil.copy(tiny_model, folder / "c.safetensors")
    monkeypatch.setattr(weights_module, "shipped_folders", lambda: [folder])
    assert list(shipped_models()) == ["a", "b", "c"]
    np.testing.assert_array_equal(jdcodec.decode(data), jdcodec.decode(data, model=str(tiny_model)))
    assert find_model("c").model_id == find_model(str(tiny_model)).model_id


def test_the_network_of_a_model_is_the_one_exported(tiny_model: Path, make_network: NetworkMaker) -> None:
    built = build_network(find_model(str(tiny_model)), torch.device("cpu")).state_dict()
    exported = make_network("fast").state_dict()
    assert built.keys() == exported.keys()
    for name, tensor in exported.items():
        torch.testing.assert_close(built[name], tensor.half().float(), atol=0, rtol=0)
