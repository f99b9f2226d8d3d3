"""A file names its model; without it, the error says which one is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NetworkMaker, PictureMaker

import jdcodec
from jdcodec.codec import runtime
from jdcodec.codec import weights as weights_module
from jdcodec.codec.weights import (
    build_network,
    find_model,
    load_weights,
    save_weights,
    shipped_folders,
    shipped_models,
)
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


def test_a_file_that_was_replaced_is_read_again(
    tiny_model: Path, other_model: Path, tmp_path: Path, make_picture: PictureMaker
) -> None:
    path, picture = tmp_path / "mine.safetensors", make_picture(20, 30)
    ids = []
    for model in (tiny_model, other_model):
        path.write_bytes(model.read_bytes())
        data = jdcodec.encode(picture, model=str(path))
        ids.append(parse(data).header.model_id)
        assert jdcodec.decode(data, model=str(path)).shape == picture.shape
    assert ids == [find_model(str(model)).model_id for model in (tiny_model, other_model)]


def test_a_file_that_stays_is_read_once(tiny_model: Path) -> None:
    assert find_model(str(tiny_model)) is find_model(str(tiny_model))


def test_not_all_networks_are_kept_for_ever(
    tiny_model: Path, tmp_path: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "_networks", {})
    monkeypatch.setattr(runtime, "_MAX_NETWORKS", 2)
    weights, picture = load_weights(tiny_model.resolve()), make_picture(20, 30)
    paths = []
    for index in range(4):
        network = {**weights.network, "gain.offset": weights.network["gain.offset"] + np.float16(index / 8)}
        paths.append(tmp_path / f"{index}.safetensors")
        save_weights(paths[-1], weights.config, network, weights.tables)
    files = [jdcodec.encode(picture, model=str(path)) for path in paths]
    assert len(runtime._networks) == 2
    # The first is gone and comes again.
    assert jdcodec.encode(picture, model=str(paths[0])) == files[0] != files[1]


def test_a_folder_of_weights_beside_an_installed_package_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "jdcodec" / "codec" / "weights.py"
    for folder in (module.parent, tmp_path / "weights", tmp_path / "jdcodec" / "weights"):
        folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(weights_module, "__file__", str(module))
    assert shipped_folders() == [tmp_path / "jdcodec" / "weights"]
    (tmp_path / "pyproject.toml").touch()
    assert shipped_folders() == [tmp_path / "jdcodec" / "weights", tmp_path / "weights"]


@pytest.mark.parametrize("device", ["meta", "privateuseone", "lazy", "nonsense", "cuda:99", "cpu:x", ""])
def test_a_device_that_computes_nothing_is_one_line(device: str, make_picture: PictureMaker) -> None:
    with pytest.raises(ModelError, match=r"device .* cannot be used") as caught:
        jdcodec.encode(make_picture(16, 16), device=device)
    assert "\n" not in str(caught.value)
