"""What to train and how, read from a short TOML file. Every key is checked before anything is loaded."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS

from .noise import CameraNoise


@dataclass(frozen=True)
class Phase:
    """From `start` (share of the run, 0 to 1) on, batches of `batch` crops of `crop` pixels a side."""

    start: float
    crop: int
    batch: int


@dataclass(frozen=True)
class Recipe:
    """One training run. Defaults are those of the project's own weights.

    `part`: "stem" trains the denoiser alone, "codec" the codec on clean photographs, "all" both jointly.
    """

    name: str
    description: str = ""
    arch: str = "fast"
    part: str = "all"
    optimizer: str = "muon"
    learning_rate: float = 1.5e-3
    final_rate: float = 0.02
    warmup_steps: int = 200
    ema: float = 0.999
    clip: float = 1.0
    phases: tuple[Phase, ...] = (Phase(0.0, 128, 8), Phase(0.75, 256, 2))
    clean_share: float = 0.25
    full_strength_share: float = 0.7
    high_rates_first: float = 0.15
    stem_weight: float = 0.2
    hold_out_every: int = 20
    seed: int = 1
    noise: CameraNoise = field(default_factory=CameraNoise)


def load_recipe(source: str) -> Recipe:
    """A shipped recipe by name, or a TOML file by path; raises TrainingError with the line at fault."""
    path = Path(source)
    shipped = resources.files(__package__) / "recipes" / f"{source}.toml"
    try:
        if path.suffix == ".toml":
            text = path.read_text(encoding="utf-8")
        else:
            text = shipped.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        known = ", ".join(shipped_recipes())
        raise TrainingError(f"recipe {source!r} cannot be read ({error}); shipped are: {known}") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"recipe {source}: not valid TOML: {error}") from error
    return _parse(source, values)


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package."""
    folder = resources.files(__package__) / "recipes"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def _parse(source: str, values: dict[str, Any]) -> Recipe:
    values = {"name": Path(source).stem, **values}
    if "phases" in values:
        if not isinstance(values["phases"], list):
            raise TrainingError(f"recipe {source}: phases: expected an array of tables")
        values["phases"] = tuple(_build(Phase, f"{source}: phases", phase) for phase in values["phases"])
    if "noise" in values:
        values["noise"] = _build(CameraNoise, f"{source}: noise", values["noise"])
    recipe: Recipe = _build(Recipe, source, values)
    _check(source, recipe)
    return recipe


def _build(kind: type[Any], where: str, values: Any) -> Any:
    """Build a dataclass from TOML values whose keys and types must fit."""
    if not isinstance(values, dict):
        raise TrainingError(f"recipe {where}: expected a table")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise TrainingError(f"recipe {where}: unknown key {key!r}; known are {', '.join(fields)}")
        kinds: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float)}
        wanted = kinds.get(str(fields[key].type))
        if wanted is not None and (not isinstance(value, wanted) or isinstance(value, bool)):
            raise TrainingError(f"recipe {where}: {key} must be of type {fields[key].type}, not {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise TrainingError(f"recipe {where}: {key} must be finite, not {value!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise TrainingError(f"recipe {where}: {error}") from error


def _check(source: str, recipe: Recipe) -> None:
    if recipe.arch not in CONFIGS:
        raise TrainingError(f"recipe {source}: arch {recipe.arch!r} is not one of {', '.join(CONFIGS)}")
    if recipe.optimizer not in ("adam", "muon"):
        raise TrainingError(f"recipe {source}: optimizer must be adam or muon, not {recipe.optimizer!r}")
    if recipe.part not in ("stem", "codec", "all"):
        raise TrainingError(f"recipe {source}: part must be stem, codec or all, not {recipe.part!r}")
    for name in ("clean_share", "full_strength_share", "high_rates_first", "final_rate", "ema"):
        if not 0 <= getattr(recipe, name) <= 1:
            raise TrainingError(f"recipe {source}: {name} must lie in 0 to 1")
    if not recipe.phases or recipe.phases[0].start != 0:
        raise TrainingError(f"recipe {source}: the first phase must start at 0")
    for phase in recipe.phases:
        if phase.crop % 64 or phase.crop <= 0 or phase.batch <= 0 or not 0 <= phase.start < 1:
            raise TrainingError(f"recipe {source}: a phase needs a crop that is a multiple of 64 and a batch")
    if recipe.learning_rate <= 0 or recipe.clip <= 0:
        raise TrainingError(f"recipe {source}: learning_rate and clip must be positive")
    if recipe.warmup_steps < 1 or recipe.hold_out_every < 2:
        raise TrainingError(f"recipe {source}: warmup_steps must be at least 1 and hold_out_every at least 2")
    if not 0 < recipe.noise.shot_min <= recipe.noise.shot_max:
        raise TrainingError(f"recipe {source}: noise: shot_min must be above 0 and at most shot_max")
