"""Weights files: networks in fp16 with their integer tables, known by a model id.

A weights file is safetensors; nothing in it is executed. Tensors under `tables/` are the integer entropy
tables, those under `network/` the network. The model id is a hash over both, so a file made with other
weights is refused rather than decoded wrongly. Reading tables needs no torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.atomic import atomic_output
from jdcodec.codec.file_cache import FileCache
from jdcodec.entropy import EntropyTables
from jdcodec.errors import ModelError
from jdcodec.model.config import ModelConfig
from jdcodec.model.shapes import network_shapes

if TYPE_CHECKING:
    import torch

    from jdcodec.model.network import JointCodec

_TABLES = "tables/"
_NETWORK = "network/"

#: A weights file has at most this many bytes; `best` in fp16 has about 25 million.
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class Weights:
    """A weights file as read: `network` holds float16 or float32 arrays by parameter name.

    denoiser: "" for its own, else the hexadecimal id of one that has taken its place (`denoisers`).
    """

    model_id: bytes
    config: ModelConfig
    tables: EntropyTables
    network: Mapping[str, NDArray[Any]]
    path: Path
    denoiser: str = ""

    @property
    def name(self) -> str:
        return self.config.name


def model_id(config: ModelConfig, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """16 bytes: SHA-256, cut, over the configuration and each array's name, type, shape and bytes."""
    return arrays_id(json.dumps(config.to_dict(), sort_keys=True), arrays)


def arrays_id(head: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """16 bytes: SHA-256, cut, over a text and each array's name, type, shape and bytes."""
    digest = hashlib.sha256(head.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.digest()[:16]


def save_weights(
    path: Path,
    config: ModelConfig,
    network: Mapping[str, NDArray[Any]],
    tables: EntropyTables,
    *,
    force: bool = True,
) -> bytes:
    """Write a weights file and return its model id.

    A file that exists is replaced with `force`: what was coded with its weights cannot be decoded without a
    copy of them. Without `force` OutputError is raised.
    """
    from safetensors.numpy import save

    arrays = {_NETWORK + name: np.ascontiguousarray(array) for name, array in network.items()}
    arrays |= {_TABLES + name: np.ascontiguousarray(array) for name, array in tables.to_arrays().items()}
    identity = model_id(config, arrays)
    metadata = {
        "config": json.dumps(config.to_dict()),
        "model_id": identity.hex(),
        "format": "jdcodec weights 1",
    }
    with atomic_output(path, force=force) as file:
        file.write(save(arrays, metadata))
    return identity


def load_weights(path: Path) -> Weights:
    """A weights file, read and checked once for as long as it stays the same.

    Raises ModelError with one line about what is wrong.
    """
    return _loaded(path)


def _load(path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path}: too large for a weights file")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config = ModelConfig.from_dict(json.loads(metadata["config"]))
        promised = bytes.fromhex(metadata["model_id"])
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable weights file: {error}") from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: not a jdcodec weights file: {error}") from error
    if model_id(config, arrays) != promised:
        raise ModelError(f"{path}: the weights do not match their model id; the file is damaged")
    try:
        tables = EntropyTables.from_arrays(_below(arrays, _TABLES))
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if (tables.latent_channels, tables.hyper_channels) != (config.latent_channels, config.hyper_channels):
        raise ModelError(f"{path}: the entropy tables are for another width than the network")
    return Weights(promised, config, tables, _below(arrays, _NETWORK), path)


_loaded = FileCache(_load, keep=8)


def _below(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def check_network(weights: Weights) -> None:
    """Raise ModelError unless the arrays are those of a network of the sizes that the file says it has."""
    wanted = network_shapes(weights.config)
    found = {name: array.shape for name, array in weights.network.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise ModelError(
            f"{weights.path}: the weights do not fit the network: {wrong[0]} has shape "
            f"{found.get(wrong[0], 'none')} and should have {wanted.get(wrong[0], 'none')}"
        )


def build_network(weights: Weights, device: torch.device) -> JointCodec:
    """The network of a weights file in float32 on a device, ready for inference."""
    import torch

    from jdcodec.model.network import JointCodec

    check_network(weights)
    state = {name: torch.from_numpy(array.astype(np.float32)) for name, array in weights.network.items()}
    # Not on the meta device: its first use imports a second of compiler machinery.
    network = JointCodec(weights.config)
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval().channels_last(device)


def shipped_folders() -> list[Path]:
    """Where weights that come with the package lie: inside it when installed, beside it in a checkout.

    A folder `weights` beside an installed package is somebody else's.
    """
    package = Path(__file__).resolve().parent.parent
    folders = [package / "weights"]
    if (package.parent / "pyproject.toml").is_file():
        folders.append(package.parent / "weights")
    return [folder for folder in folders if folder.is_dir()]


def shipped_models() -> dict[str, Path]:
    """Names and files of the models that come with the package."""
    found = (path for folder in shipped_folders() for path in sorted(folder.glob("*.safetensors")))
    models: dict[str, Path] = {}
    for path in found:
        models.setdefault(path.stem, path)
    return models


def find_model(name: str) -> Weights:
    """A shipped model by name, or a weights file by path."""
    shipped = shipped_models()
    if name in shipped:
        return load_weights(shipped[name])
    path = Path(name)
    if path.is_file():
        return load_weights(path.resolve())
    known = ", ".join(shipped) or "none"
    raise ModelError(f"no model {name!r}: give the path of a weights file, or one of the shipped ({known})")


def find_model_by_id(identity: bytes, candidates: Iterable[str] = ()) -> Weights:
    """The model that a file needs, among `candidates` (names or paths) and the shipped ones."""
    for name in candidates:
        weights = find_model(name)
        if weights.model_id == identity:
            return weights
    for path in shipped_models().values():
        if stored_model_id(path) == identity:
            return load_weights(path)
    raise ModelError(
        f"this file needs the model {identity.hex()}, which is not among the installed ones; "
        "give its weights file with --model, or install the version of jdcodec that made the file"
    )


def stored_model_id(path: Path) -> bytes | None:
    """The model id that a weights file claims, without reading its arrays; None where it has none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return bytes.fromhex((file.metadata() or {}).get("model_id", "")) or None
    except (OSError, SafetensorError, ValueError):
        return None
