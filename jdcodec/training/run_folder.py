"""The folder of a run: its recipe, metrics as JSON lines, sample pictures, TensorBoard's events."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from jdcodec.atomic import atomic_output, remove_leftovers
from jdcodec.errors import OutputError, TrainingError

from .fingerprint import Fingerprint
from .recipe import Recipe

CHECKPOINT_NAME = "checkpoint.safetensors"
METRICS_NAME = "metrics.jsonl"
RECIPE_NAME = "recipe.json"
DATA_NAME = "data.json"
SAMPLES_NAME = "samples"


class RunFolder:
    """Where a run keeps what it makes. Every failure to write is a TrainingError that names the file."""

    def __init__(
        self,
        folder: Path,
        recipe: Recipe,
        *,
        resume: bool,
        force: bool,
        tensorboard: bool,
        writes: bool = True,
    ) -> None:
        """Check only; nothing is written before `start`, and nothing at all without `writes`.

        Raises TrainingError where a run lies there already and neither `resume` nor `force` is set, where
        the run that is resumed followed another recipe, and where TensorBoard is asked for and missing.
        """
        self.folder = folder
        self.checkpoint = folder / CHECKPOINT_NAME
        self.metrics = folder / METRICS_NAME
        values = json.loads(json.dumps(dataclasses.asdict(recipe)))
        self._recipe = {field.removesuffix("_"): value for field, value in values.items()}  # as recipes say
        self._recipe["noise"]["model"] = type(recipe.noise).__name__
        self._events: Any = None
        self._wants_events = tensorboard
        self._writes, self._resume, self._force = writes, resume, force
        self._data: Fingerprint | None = None
        if not writes:
            return
        if resume:
            self._check_recipe()
        elif self.checkpoint.exists() and not force:
            raise TrainingError(
                f"{folder}: holds a run already; go on with it by --resume, begin anew by --force, or name "
                "another --run"
            )
        if tensorboard and importlib.util.find_spec("tensorboard") is None:
            raise TrainingError("TensorBoard is not installed: pip install 'jdcodec[train]'")

    def check_data(self, data: Fingerprint) -> str | None:
        """One line where a run is resumed with other data and `force`, else None.

        Raises TrainingError where the data are others without `force`, or what is kept of them is damaged.
        """
        self._data = data
        if not self._writes or not self._resume:
            return None
        path = self.folder / DATA_NAME
        try:
            before = Fingerprint.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None  # a run from before this was kept, or a checkpoint from elsewhere
        except (OSError, ValueError, RecursionError) as error:
            raise TrainingError(f"{path}: cannot be read: {error}") from error
        change = data.change_from(before)
        if change is None:
            return None
        if not self._force:
            raise TrainingError(
                f"{self.folder}: was started with {change}; --force goes on with these, and another --run "
                "with --start-from begins a new schedule"
            )
        return f"{self.folder}: was started with {change}; it goes on with these"

    def start(self, step: int) -> None:
        """Make the folder, write recipe and data, and cut the metrics back to what was known at `step`."""
        if not self._writes:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.folder)
            kept = [line for line in self._lines() if json.loads(line)["step"] <= step] if step else []
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        _replace(self.folder / RECIPE_NAME, json.dumps(self._recipe, indent=2) + "\n")
        if self._data is not None:
            _replace(self.folder / DATA_NAME, json.dumps(self._data.to_dict(), indent=2) + "\n")
        _replace(self.metrics, "".join(line + "\n" for line in kept))
        if self._wants_events:
            from torch.utils.tensorboard import SummaryWriter

            self._events = SummaryWriter(str(self.folder), purge_step=step)

    def write(self, figures: dict[str, Any]) -> None:
        """Append figures, which hold their `step`, to the metrics."""
        if not self._writes:
            return
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(figures) + "\n")
        except OSError as error:
            raise _unwritable(self.metrics, error) from error
        if self._events is not None:
            for name, value in _scalars(figures):
                self._events.add_scalar(name, value, figures["step"])

    def write_sample(self, step: int, picture: Tensor) -> None:
        """Keep a picture, (H, W, 3) uint8, as samples/STEP.png."""
        if not self._writes:
            return
        path = self.folder / SAMPLES_NAME / f"{step:08d}.png"
        try:
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(picture.numpy()).save(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        if self._events is not None:
            self._events.add_image("noisy, decoded or denoised, clean", picture, step, dataformats="HWC")

    def close(self) -> None:
        """Flush what TensorBoard holds."""
        if self._events is not None:
            self._events.close()

    def _check_recipe(self) -> None:
        path = self.folder / RECIPE_NAME
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return  # a run from before recipes were kept, or a checkpoint from elsewhere
        except (OSError, ValueError) as error:
            raise TrainingError(f"{path}: cannot be read: {error}") from error
        for key, value in self._recipe.items():
            if key != "description" and before.get(key, value) != value:
                raise TrainingError(
                    f"{self.folder}: was started with {key} = {before[key]!r}, not {value!r}; a changed "
                    "recipe begins anew: another --run with --start-from"
                )

    def _lines(self) -> list[str]:
        """Whole lines of the metrics; one that a kill cut short is left out."""
        if not self.metrics.exists():
            return []
        text = self.metrics.read_text(encoding="utf-8", errors="replace")
        return [line for line in text[: text.rfind("\n") + 1].splitlines() if _is_figures(line)]


def _is_figures(line: str) -> bool:
    try:
        figures = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(figures, dict) and isinstance(figures.get("step"), int)


def _scalars(figures: dict[str, Any]) -> list[tuple[str, float]]:
    """Names and values of all numbers, those of a measure's list by their place."""
    found = [(name, float(value)) for name, value in figures.items() if isinstance(value, int | float)]
    for name, values in figures.get("validation", {}).items():
        parts = ("bpp", "psnr") if "@" in name else ("clean", "noisy")
        labels = (
            [f"validation/{name}/{part}" for part in parts] if len(values) > 1 else [f"validation/{name}"]
        )
        found += list(zip(labels, map(float, values)))
    return [(name, value) for name, value in found if name != "step"]


def _replace(path: Path, text: str) -> None:
    """Write a file anew; whenever the run is killed, it is the old or the new one. Raises TrainingError."""
    try:
        with atomic_output(path, force=True) as file:
            file.write(text.encode("utf-8"))
    except OSError as error:
        raise _unwritable(path, error) from error
    except OutputError as error:
        raise TrainingError(str(error)) from error


def _unwritable(path: Path, error: OSError) -> TrainingError:
    return TrainingError(f"{path}: cannot be written: {error.strerror or os.strerror(error.errno or 0)}")
