"""A weights file is input like any other: damaged, cut short, or made to mislead, it is a ModelError."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

import jdcodec
from jdcodec.codec.runtime import start_inference
from jdcodec.codec.weights import Weights, load_weights, model_id, save_weights
from jdcodec.errors import ModelError
from jdcodec.model.config import ModelConfig

Network = dict[str, NDArray[Any]]

#: What runs the networks. "cpu" is OpenVINO.
DEVICES = ("cpu", "torch-cpu")


@pytest.fixture(scope="module")
def weights(tiny_model: Path) -> Weights:
    return load_weights(tiny_model.resolve())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made.safetensors"


def assert_refused(path: Path, reason: str = "weights") -> None:
    """Reading the file or starting its network raises ModelError: one line that names the file."""
    for device in DEVICES:
        with pytest.raises(ModelError, match=reason) as caught:
            start_inference(load_weights(path), 5.0, device=device)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_good_weights_come_back(weights: Weights, path: Path) -> None:
    identity = save_weights(path, weights.config, weights.network, weights.tables)
    assert identity == weights.model_id
    read = load_weights(path)
    assert read.config == weights.config and read.name == "tiny fast"
    assert {name: array.tobytes() for name, array in read.network.items()} == {
        name: array.tobytes() for name, array in weights.network.items()
    }


def test_flipped_bytes(tiny_model: Path, weights: Weights, path: Path) -> None:
    """Each flip is refused, or is in what says nothing about the network: the name of the format."""
    data = tiny_model.read_bytes()
    rng = np.random.default_rng(0)
    header = 8 + struct.unpack("<Q", data[:8])[0]
    places = [*rng.integers(0, header, 25), *rng.integers(header, len(data), 15)]
    refused = 0
    for place in map(int, places):
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            assert load_weights(path).model_id == weights.model_id
        except ModelError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > 30


def test_truncated(tiny_model: Path, path: Path) -> None:
    data = tiny_model.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert_refused(path, "not a readable weights file")
    path.write_bytes(data + b"\0")
    assert_refused(path)


def test_a_flipped_parameter_is_called_damage(tiny_model: Path, path: Path) -> None:
    data = bytearray(tiny_model.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    assert_refused(path, "do not match their model id; the file is damaged")
    with pytest.raises(ModelError, match="damaged"):
        jdcodec.encode(np.zeros((4, 4), np.uint8), model=str(path))


def test_other_files(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    assert_refused(path, "not a readable weights file")
    save_file({"weight": np.zeros(3, np.float32)}, path)
    assert_refused(path, "not a jdcodec weights file")
    assert_refused(tmp_path, "not a readable weights file")


def test_too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    assert_refused(path, "too large")


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3"])
def test_types_that_numpy_does_not_have(kind: str, path: Path) -> None:
    size = 2 if kind == "BF16" else 1
    tensor = {"dtype": kind, "shape": [1], "data_offsets": [0, size]}
    header = json.dumps({"network/gain.offset": tensor}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(size))
    assert_refused(path, "not a jdcodec weights file")


def change(name: str, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Network], None]:
    def apply(network: Network) -> None:
        network[name] = function(network[name])

    return apply


OTHER_NETWORKS: dict[str, Callable[[Network], Any]] = {
    "a parameter missing": lambda network: network.pop("gain.slope"),
    "a parameter too many": lambda network: network.update({"gain.curve": np.zeros(3, np.float16)}),
    "a parameter of another shape": change("gain.slope", lambda array: array[:-1]),
    "a parameter transposed": change("synthesis.linear", lambda array: array.T),
    "a parameter with an axis more": change("gain.bend", lambda array: array[None]),
    "none at all": lambda network: network.clear(),
}


@pytest.mark.parametrize("case", OTHER_NETWORKS)
def test_parameters_that_do_not_fit(case: str, weights: Weights, path: Path) -> None:
    network = dict(weights.network)
    OTHER_NETWORKS[case](network)
    save_weights(path, weights.config, network, weights.tables)
    assert_refused(path, "do not fit the network")
    for device in DEVICES:
        with pytest.raises(ModelError, match="do not fit the network"):
            jdcodec.encode(np.zeros((4, 4), np.uint8), model=str(path), device=device)


def test_tables_for_another_width(weights: Weights, path: Path) -> None:
    config = dataclasses.replace(weights.config, hyper_channels=9)
    save_weights(path, config, weights.network, weights.tables)
    assert_refused(path, "entropy tables are for another width")


def test_broken_tables(weights: Weights, path: Path) -> None:
    frequency = weights.tables.latent_frequency.copy()
    frequency[0] += 1
    broken = dataclasses.replace(weights.tables, latent_frequency=frequency)
    save_weights(path, weights.config, weights.network, broken)
    assert_refused(path, "does not sum")


class AnyConfig(ModelConfig):
    """Writes whatever it is given, under a model id that fits."""

    def __init__(self, values: Any) -> None:
        object.__setattr__(self, "values", values)

    def to_dict(self) -> Any:
        return self.values


@pytest.mark.parametrize(
    "change",
    [
        {"hyper_width": 10**12},
        {"hyper_width": -1},
        {"latent_channels": "48"},
        {"stem_blocks": []},
        {"analysis_patch": 0},
        {"analysis_stages": [[8, 10**9]]},
        {"synthesis_stages": 8},
        {"synthesis_stages": [[8, 1, 1]]},
        {"surprise": 1},
        None,
    ],
)
def test_sizes_that_no_network_has(change: dict[str, Any] | None, weights: Weights, path: Path) -> None:
    values = None if change is None else weights.config.to_dict() | change
    save_weights(path, AnyConfig(values), weights.network, weights.tables)
    assert_refused(path, "not a jdcodec weights file")


def test_model_id_is_the_hash_that_the_format_describes(tiny_model: Path, weights: Weights) -> None:
    """By hand, from `docs/format.md`."""
    import hashlib

    arrays = load_file(tiny_model)
    text = json.dumps(weights.config.to_dict(), sort_keys=True, separators=(", ", ": "))
    digest = hashlib.sha256(text.encode("ascii"))
    for name in sorted(arrays):
        array = arrays[name]
        kind = {"int8": "|i1", "int32": "<i4", "float16": "<f2", "float32": "<f4"}[str(array.dtype)]
        shape = "(" + ", ".join(map(str, array.shape)) + ("," if array.ndim == 1 else "") + ")"
        digest.update(f"\n{name} {kind} {shape}\n".encode("ascii"))
        digest.update(array.astype(kind).tobytes(order="C"))
    assert digest.digest()[:16] == weights.model_id == model_id(weights.config, arrays)
