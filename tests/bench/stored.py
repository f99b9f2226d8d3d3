"""Checkpoints of small systems of the papers, as `jdc train --arch` writes them, without the training."""

from __future__ import annotations

import json
from pathlib import Path

from reference.systems import NARROW, narrow
from safetensors.torch import save_file

from jdcodec.reference.stored import KEY, describe


def store(folder: Path, name: str, *, scale: float = 1.0, weight: float | None = None) -> Path:
    """A run's folder with a checkpoint of the narrow system of a name, its weights times `scale`.

    weight: λ in the recipe beside it; no recipe where it is None. Returns the checkpoint's path.
    """
    folder.mkdir(parents=True)
    tensors = narrow(name).state_dict()
    averaged = {f"average/{key}": (t * scale if t.is_floating_point() else t) for key, t in tensors.items()}
    path = folder / "checkpoint.safetensors"
    save_file({k: t.contiguous() for k, t in averaged.items()}, path, {KEY: describe(name, NARROW[name])})
    if weight is not None:
        (folder / "recipe.json").write_text(json.dumps({"lambda": weight}))
    return path
