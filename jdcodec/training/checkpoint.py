"""Training checkpoints: weights, their moving average and the optimiser's state in one safetensors file."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from jdcodec.atomic import atomic_output
from jdcodec.errors import OutputError, TrainingError, first_line
from jdcodec.model.config import ModelConfig
from jdcodec.reference.stored import KEY as REFERENCE_KEY


def save_checkpoint(
    path: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizers: list[torch.optim.Optimizer],
    progress: dict[str, Any],
    architecture: dict[str, str],
) -> None:
    """Write the state of a run; the old file stays until the new one is complete. Raises TrainingError.

    architecture: metadata that says what network it is, as `Task.architecture` gives it.
    """
    tensors = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.items()}
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    for optimizer in optimizers:
        for parameter, state in optimizer.state.items():
            for key, value in state.items():
                tensors[f"optimizer/{names[parameter]}/{key}"] = torch.as_tensor(value)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {**architecture, "progress": json.dumps(progress)}
    try:
        # Not `save_file`, which gives the path another file that nobody waits for to be on the disk.
        data = save(tensors, metadata)
        with atomic_output(path, force=True) as file:
            file.write(data)
    except (OSError, OutputError, SafetensorError) as error:
        raise TrainingError(_unwritten(path, error, tensors)) from error


def _unwritten(path: Path, error: Exception, tensors: dict[str, Tensor]) -> str:
    """What to say of a checkpoint that was not written: how much room it takes, where that is short."""
    if isinstance(error, OutputError):
        if not isinstance(error.__cause__, OSError):
            return str(error)
        error = error.__cause__  # which does not name the file once more
    size = sum(tensor.nbytes for tensor in tensors.values())
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        free = size
    if free >= size and "No space left" not in str(error):
        return f"{path}: cannot be written: {first_line(error)}"
    return (
        f"{path}: cannot be written: no room on the disk: a checkpoint takes {size / 1e6:.1f} MB, and two "
        f"lie there while one replaces the other; {free / 1e6:.1f} MB are free"
    )


@dataclass(frozen=True)
class Checkpoint:
    """A file as read. `metadata` has "config", one of this project's networks, or "reference", a paper's."""

    metadata: dict[str, str]
    progress: dict[str, Any]
    tensors: dict[str, Tensor]


def open_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint of any network; raises TrainingError where the file is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        progress = json.loads(metadata["progress"])
        return Checkpoint(metadata, dict(progress), tensors)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: not a readable checkpoint: {error}") from error
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise TrainingError(f"{path}: a safetensors file, but not a training checkpoint: {error}") from error


def read_checkpoint(path: Path) -> tuple[ModelConfig, dict[str, Any], dict[str, Tensor]]:
    """(configuration, progress, tensors by name) of a checkpoint of one of this project's networks.

    Raises TrainingError where it is unreadable or holds another network.
    """
    checkpoint = open_checkpoint(path)
    if REFERENCE_KEY in checkpoint.metadata:
        raise TrainingError(f"{path}: holds a reference system, not one of this project's networks")
    try:
        config = ModelConfig.from_dict(json.loads(checkpoint.metadata["config"]))
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise TrainingError(f"{path}: a safetensors file, but not a training checkpoint: {error}") from error
    return config, checkpoint.progress, checkpoint.tensors


def read_averaged(path: Path) -> tuple[ModelConfig, str, dict[str, Tensor]]:
    """(configuration, part that was trained, averaged weights) of a checkpoint or a weights file.

    Raises TrainingError where the file is neither.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            exported = "model_id" in metadata
            names = [name for name in file.keys() if name.startswith("network/")]  # noqa: SIM118
            tensors = {name: file.get_tensor(name).float() for name in names} if exported else {}
        if exported:
            return ModelConfig.from_dict(json.loads(metadata["config"])), "all", section(tensors, "network")
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: not a readable checkpoint or weights file: {error}") from error
    except (KeyError, ValueError, TypeError) as error:
        raise TrainingError(f"{path}: not a jdcodec weights file: {error}") from error
    config, progress, tensors = read_checkpoint(path)
    return config, progress["part"], section(tensors, "average")


def section(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`/, without it."""
    return {
        name.removeprefix(prefix + "/"): t for name, t in tensors.items() if name.startswith(prefix + "/")
    }


def restore(
    tensors: dict[str, Tensor],
    model: nn.Module,
    average: dict[str, Tensor],
    optimizers: list[torch.optim.Optimizer],
    where: str,
) -> None:
    """Put a checkpoint's tensors back into a run of the same architecture and optimisers."""
    try:
        model.load_state_dict(section(tensors, "model"))
        for name, tensor in section(tensors, "average").items():
            average[name].copy_(tensor)
    except (RuntimeError, KeyError) as error:
        reason = first_line(error)
        raise TrainingError(f"{where}: made for another architecture: {reason}") from error
    parameters = dict(model.named_parameters())
    owners = {
        p: optimizer for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]
    }
    for name, tensor in section(tensors, "optimizer").items():
        path, _, key = name.rpartition("/")
        if path not in parameters:
            raise TrainingError(f"{where}: made for another architecture: it has no {path}")
        parameter = parameters[path]
        value = tensor.to(parameter.device, copy=True)
        if tensor.shape == parameter.shape:  # fused optimisers want the layout of the parameter
            value = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)
        owners[parameter].state[parameter][key] = value
