"""What to train and how, read from a short TOML file. Every key is checked before anything is loaded."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from jdcodec.errors import TrainingError
from jdcodec.model.config import CONFIGS

from .noise import MODELS, CameraNoise, NoiseModel
from .similarity import SMALLEST_SIDE

#: What TOML may hold for a field; `type(value)` because a bool is an int to Python.
_KINDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}

_THRESHOLD_NAME = re.compile(r"jdc-cn(\.\d{1,4})")


@dataclass(frozen=True)
class Phase:
    """From `start` (share of the run, 0 to 1) on, batches of `batch` crops of `crop` pixels a side."""

    start: float
    crop: int
    batch: int


@dataclass(frozen=True)
class Recipe:
    """One training run. Defaults are those of the project's own weights.

    part: "stem" trains the denoiser alone, "codec" the codec on clean photographs, "all" both jointly.
    source: "made" makes noise on clean photographs; "pairs" takes noisy crops and their targets from an
        index (`jdc data index`).
    threshold: of the pairs, only crops whose MS-SSIM to their target is at least this.
    targets: "clean", or "denoised" for pairs whose targets a denoiser made.
    clean_share: share of pictures that are clean, input and target alike; with `exact_mix` this share of
        every batch, to the picture, else the chance of each picture.
    loss: distortion of the decoded picture, "mse" or "ms-ssim".
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
    source: str = "made"
    threshold: float = 0.0
    targets: str = "clean"
    loss: str = "mse"
    clean_share: float = 0.25
    exact_mix: bool = False
    full_strength_share: float = 0.7
    high_rates_first: float = 0.15
    stem_weight: float = 0.5
    hold_out_every: int = 20
    seed: int = 1
    noise: NoiseModel = field(default_factory=CameraNoise)

    @property
    def needs_photographs(self) -> bool:
        """Whether clean photographs are trained on, beside pairs or instead of them."""
        return self.source == "made" or self.clean_share > 0


def load_recipe(source: str) -> Recipe:
    """A shipped recipe by name, or a TOML file by path; raises TrainingError with the key at fault.

    Any threshold can be asked for as "jdc-cn.65": the recipe jdc-cn.8 with the threshold 0.65.
    """
    threshold = _THRESHOLD_NAME.fullmatch(source)
    if threshold and source not in shipped_recipes():
        base = load_recipe("jdc-cn.8")
        description = base.description.replace("0.8", threshold[1])
        return dataclasses.replace(base, name=source, threshold=float(threshold[1]), description=description)
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
    values = {"name": Path(source).stem if source.endswith(".toml") else source, **values}
    if "phases" in values:
        if not isinstance(values["phases"], list):
            raise TrainingError(f"recipe {source}: phases: expected an array of tables")
        values["phases"] = tuple(_build(Phase, f"{source}: phases", phase) for phase in values["phases"])
    if "noise" in values:
        values["noise"] = _noise(f"{source}: noise", values["noise"])
    recipe: Recipe = _build(Recipe, source, values)
    _check(source, recipe)
    return recipe


def _noise(where: str, values: Any) -> NoiseModel:
    """The model that a table names with its key `model`, camera noise where it names none."""
    if not isinstance(values, dict):
        raise TrainingError(f"recipe {where}: expected a table")
    values = dict(values)
    name = values.pop("model", "camera")
    if name not in MODELS:
        raise TrainingError(f"recipe {where}: model {name!r} is not one of {', '.join(MODELS)}")
    model: NoiseModel = _build(MODELS[name], where, values)
    problem = model.problem()
    if problem:
        raise TrainingError(f"recipe {where}: {problem}")
    return model


def _build(kind: type[Any], where: str, values: Any) -> Any:
    """Build a dataclass from TOML values whose keys and types must fit."""
    if not isinstance(values, dict):
        raise TrainingError(f"recipe {where}: expected a table")
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise TrainingError(f"recipe {where}: unknown key {key!r}; known are {', '.join(fields)}")
        wanted = _KINDS.get(str(fields[key].type))
        if wanted is not None and type(value) not in wanted:
            raise TrainingError(f"recipe {where}: {key} must be of type {fields[key].type}, not {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise TrainingError(f"recipe {where}: {key} must be finite, not {value!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise TrainingError(f"recipe {where}: {error}") from error


def _check(source: str, recipe: Recipe) -> None:
    problem = _choice_problem(recipe) or _range_problem(recipe) or _phase_problem(recipe)
    if problem:
        raise TrainingError(f"recipe {source}: {problem}")


def _choice_problem(recipe: Recipe) -> str | None:
    if recipe.arch not in CONFIGS:
        return f"arch {recipe.arch!r} is not one of {', '.join(CONFIGS)}"
    choices = {
        "optimizer": ("adam", "muon"),
        "part": ("stem", "codec", "all"),
        "source": ("made", "pairs"),
        "targets": ("clean", "denoised"),
        "loss": ("mse", "ms-ssim"),
    }
    for name, allowed in choices.items():
        value = getattr(recipe, name)
        if value not in allowed:
            words = ", ".join(allowed[:-1]) + " or " + allowed[-1]
            return f"{name} must be {words.replace(', or', ' or')}, not {value!r}"
    if recipe.source == "made" and (recipe.threshold or recipe.targets != "clean"):
        return 'threshold and targets are of pairs: source must be "pairs"'
    if recipe.source == "pairs" and recipe.part == "codec":
        return 'part = "codec" trains on clean photographs: source must be "made"'
    return None


def _range_problem(recipe: Recipe) -> str | None:
    shares = ("clean_share", "full_strength_share", "high_rates_first", "final_rate", "ema", "threshold")
    for name in shares:
        if not 0 <= getattr(recipe, name) <= 1:
            return f"{name} must lie in 0 to 1"
    if recipe.learning_rate <= 0 or recipe.clip <= 0:
        return "learning_rate and clip must be positive"
    if recipe.stem_weight < 0:
        return "stem_weight must be at least 0"
    if recipe.warmup_steps < 1 or recipe.hold_out_every < 2:
        return "warmup_steps must be at least 1 and hold_out_every at least 2"
    if not 0 <= recipe.seed < 2**23:
        return f"seed must lie in 0 to {2**23 - 1}"
    return None


def _phase_problem(recipe: Recipe) -> str | None:
    starts = [phase.start for phase in recipe.phases]
    if starts[:1] != [0] or starts != sorted(starts):
        return "the first phase must start at 0, and others after it"
    for phase in recipe.phases:
        if phase.crop % 64 or phase.crop <= 0 or phase.batch <= 0 or not 0 <= phase.start < 1:
            return "a phase needs a crop that is a multiple of 64 and a batch"
        if recipe.loss == "ms-ssim" and phase.crop < SMALLEST_SIDE:
            return f"loss ms-ssim needs crops of at least {SMALLEST_SIDE} pixels, not {phase.crop}"
        clean = phase.batch * recipe.clean_share
        if recipe.exact_mix and abs(clean - round(clean)) > 1e-6:
            share = f"clean_share {recipe.clean_share:g} of a batch of {phase.batch}"
            return f"exact_mix: {share} is no whole number of pictures"
    return None
