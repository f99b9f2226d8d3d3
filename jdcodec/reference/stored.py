"""A trained system's checkpoint back to a module: which system it is, and its averaged weights.

`jdcodec.training.checkpoint` writes these files. The metadata key "reference" holds the system's name and the
sizes that differ from the paper's, as JSON; tensors named average/… are the weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from jdcodec.errors import ModelError, first_line

from . import build

if TYPE_CHECKING:
    from .base import ReferenceModel

#: Metadata key of a checkpoint that holds one of these systems.
KEY = "reference"
_PREFIX = "average/"


def describe(name: str, sizes: dict[str, int]) -> str:
    """What a checkpoint's metadata holds under KEY."""
    return json.dumps({"name": name, "sizes": sizes})


def is_stored(path: Path) -> bool:
    """Whether a file is a checkpoint of one of these systems; False for what cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def stored_name(path: Path) -> tuple[str, dict[str, int]]:
    """(name of the system, sizes that differ from the paper's) of a checkpoint. Raises ModelError."""
    return _read(path, weights=False)[:2]


def load_stored(path: Path) -> ReferenceModel:
    """See `jdcodec.reference.load`."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    name, sizes, tensors = _read(path, weights=True)
    try:
        with FakeTensorMode():  # sizes of a forged file are not allocated before they are found to fit
            shapes = {key: value.shape for key, value in build(name, **sizes).state_dict().items()}
        if shapes != {key: value.shape for key, value in tensors.items()}:
            raise ModelError(
                f"{path}: its tensors are not those of {name} with sizes {sizes or 'as published'}"
            )
        model = build(name, **sizes)
        model.load_state_dict(tensors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: {name} cannot be built: {first_line(error)}") from error
    return model.eval()


def _read(path: Path, *, weights: bool) -> tuple[str, dict[str, int], dict[str, Tensor]]:
    tensors = {}
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            for key in file.keys() if weights else ():
                if key.startswith(_PREFIX):
                    tensors[key.removeprefix(_PREFIX)] = file.get_tensor(key)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable checkpoint: {error}") from error
    if KEY not in metadata:
        raise ModelError(f"{path}: not a checkpoint of a reference system")
    try:
        stored: Any = json.loads(metadata[KEY])
        name, sizes = stored["name"], stored["sizes"]
        if type(name) is not str or not isinstance(sizes, dict):
            raise ValueError("no name and sizes")
        if not all(type(size) is int and 1 <= size <= 4096 for size in sizes.values()):
            raise ValueError("a size that is not a whole number from 1 to 4096")
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(f"{path}: does not say which system it holds: {error}") from error
    return name, sizes, tensors
