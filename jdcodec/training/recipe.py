"""What to train and how, read from a short TOML file. Every key is checked before anything is loaded."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jdcodec.errors import ModelError, TrainingError
from jdcodec.model.config import CONFIGS
from jdcodec.reference import Architecture, architectures
from jdcodec.reference import find as find_architecture

from .noise import MODELS, CameraNoise, NoiseModel
from .shipped import shipped_recipes, shipped_text
from .similarity import SMALLEST_SIDE

#: What TOML may hold for a field; `type(value)` because a bool is an int to Python.
_KINDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}
_KINDS["float | None"] = _KINDS["float"]

#: What a recipe that says nothing of them takes for the papers' systems: their optimiser and its rate (Zhang
#: et al. 2017 for denoisers; Cheng, Xie & Chen 2022, as most codecs, for the others), compressai's weight for
#: its fourth of eight qualities, and no muon, which was tuned on this project's networks.
_CODEC_DEFAULTS = {"optimizer": "adam", "learning_rate": 1e-4, "lambda": 0.013}
_DENOISER_DEFAULTS = {"optimizer": "adam", "learning_rate": 1e-3}

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

    arch: one of this project's networks, or a system of `jdcodec.reference`. Of what is below, `part` "stem",
        strengths, `high_rates_first` and `stem_weight` concern this project's networks alone.
    sizes: widths or depths of a reference system other than the paper's, by its constructor's names.
    lambda_: key "lambda"; the one rate-distortion weight of a reference codec, in compressai's scale: bpp +
        lambda·255²·MSE.
    part: "stem" trains the denoiser alone, "codec" the codec on clean photographs, "all" both jointly,
        "codec-after-stem" the codec on what a denoiser, that of `--start-from` and left as it is, makes of
        noisy and clean pictures, "entropy" the entropy model alone, on the symbols that files hold.
    source: "made" makes noise on clean photographs; "pairs" takes noisy crops and their targets from an
        index (`jdc data index`).
    threshold: of the pairs, only crops whose MS-SSIM to their target is at least this.
    targets: "clean", or "denoised" for pairs whose targets a denoiser made.
    clean_share: share of pictures that are clean, input and target alike; with `exact_mix` this share of
        every batch, to the picture, else the chance of each picture.
    loss: distortion of the decoded picture, "mse" or "ms-ssim".
    trellis: whether the decoder sees latents with the dependent quantisation of files, else as rounded one by
    one.
    guidance_weight: of the L1 distance between the features of the noisy pictures and of their targets.
    contrastive_weight: of InfoNCE between projections of the two; needs a system that has projections.
    warmup_share: share of the run over which the learning rate rises, if longer than `warmup_steps`.
    loss_cap: steps whose loss is not below it are left out.
    """

    name: str
    description: str = ""
    arch: str = "fast"
    sizes: dict[str, int] = field(default_factory=dict)
    lambda_: float | None = None
    part: str = "all"
    optimizer: str = "muon"
    learning_rate: float = 1.5e-3
    final_rate: float = 0.02
    warmup_steps: int = 200
    warmup_share: float = 0.0
    loss_cap: float | None = None
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
    trellis: bool = False
    high_rates_first: float = 0.15
    stem_weight: float = 0.5
    guidance_weight: float = 0.0
    contrastive_weight: float = 0.0
    hold_out_every: int = 20
    seed: int = 1
    noise: NoiseModel = field(default_factory=CameraNoise)

    @property
    def needs_photographs(self) -> bool:
        """Whether clean photographs are trained on, beside pairs or instead of them."""
        return self.source == "made" or self.clean_share > 0

    @property
    def reference(self) -> Architecture | None:
        """The reference system that is trained; None for this project's networks."""
        return None if self.arch in CONFIGS else architectures()[self.arch]


def load_recipe(source: str, *, arch: str | None = None, weight: float | None = None) -> Recipe:
    """A shipped recipe by name, or a TOML file by path; raises TrainingError with the key at fault.

    Any threshold can be asked for as "jdc-cn.65": the recipe jdc-cn.8 with the threshold 0.65. `arch` and
    `weight`, the lambda, go before what the recipe says.
    """
    threshold = _THRESHOLD_NAME.fullmatch(source)
    if threshold and source not in shipped_recipes():
        base = load_recipe("jdc-cn.8", arch=arch, weight=weight)
        description = base.description.replace("0.8", threshold[1])
        return dataclasses.replace(base, name=source, threshold=float(threshold[1]), description=description)
    path = Path(source)
    known = shipped_recipes()
    if path.suffix != ".toml" and source not in known:
        raise TrainingError(f"no recipe {source!r}; shipped are: {', '.join(known)}")
    try:
        text = path.read_text(encoding="utf-8") if path.suffix == ".toml" else shipped_text(source)
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TrainingError(f"recipe {source}: cannot be read: {reason}") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingError(f"recipe {source}: not valid TOML: {error}") from error
    chosen = {"arch": arch, "lambda": weight}
    return _parse(source, values | {key: value for key, value in chosen.items() if value is not None})


def _parse(source: str, values: dict[str, Any]) -> Recipe:
    values = {"name": Path(source).stem if source.endswith(".toml") else source, **values}
    values = _defaults(source, values.get("arch", Recipe.arch)) | values
    if "phases" in values:
        if not isinstance(values["phases"], list):
            raise TrainingError(f"recipe {source}: phases: expected an array of tables")
        values["phases"] = tuple(_build(Phase, f"{source}: phases", phase) for phase in values["phases"])
    if "noise" in values:
        values["noise"] = _noise(f"{source}: noise", values["noise"])
    sizes = values.get("sizes", {})
    if not isinstance(sizes, dict) or not all(type(size) is int and size > 0 for size in sizes.values()):
        raise TrainingError(f"recipe {source}: sizes: expected a table of whole numbers above 0")
    recipe: Recipe = _build(Recipe, source, values)
    _check(source, recipe)
    return recipe


def _defaults(source: str, arch: Any) -> dict[str, Any]:
    """Values for what a recipe leaves open, where they are others than `Recipe` has."""
    if not isinstance(arch, str) or arch in CONFIGS:
        return {}
    try:
        system = find_architecture(arch)
    except ModelError as error:
        known = ", ".join(CONFIGS)
        raise TrainingError(f"recipe {source}: arch {arch!r} is not one of {known}, and {error}") from error
    return dict(_DENOISER_DEFAULTS if system.is_denoiser else _CODEC_DEFAULTS)


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
    # A key that is a word of Python, as "lambda" is, has an underscore at its field's end.
    fields = {f.name.removesuffix("_"): f for f in dataclasses.fields(kind)}
    for key, value in values.items():
        if key not in fields:
            raise TrainingError(f"recipe {where}: unknown key {key!r}; known are {', '.join(fields)}")
        wanted = _KINDS.get(str(fields[key].type))
        if wanted is not None and type(value) not in wanted:
            raise TrainingError(f"recipe {where}: {key} must be of type {fields[key].type}, not {value!r}")
        if isinstance(value, float) and not math.isfinite(value):
            raise TrainingError(f"recipe {where}: {key} must be finite, not {value!r}")
    try:
        return kind(**{fields[key].name: value for key, value in values.items()})
    except TypeError as error:
        raise TrainingError(f"recipe {where}: {error}") from error


def _check(source: str, recipe: Recipe) -> None:
    problem = (
        _choice_problem(recipe) or _arch_problem(recipe) or _range_problem(recipe) or _phase_problem(recipe)
    )
    if problem:
        raise TrainingError(f"recipe {source}: {problem}")


def _choice_problem(recipe: Recipe) -> str | None:
    choices = {
        "optimizer": ("adam", "muon"),
        "part": ("stem", "codec", "codec-after-stem", "entropy", "all"),
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
    if recipe.trellis and recipe.part in ("stem", "entropy"):
        return f'trellis is for what the decoder sees, which part = "{recipe.part}" does not train'
    if recipe.part != "all" and (recipe.guidance_weight or recipe.contrastive_weight):
        return 'guidance and contrast compare noisy pictures with clean ones: part must be "all"'
    return None


def _arch_problem(recipe: Recipe) -> str | None:
    system = recipe.reference
    if recipe.contrastive_weight and not (system and system.has_projections):
        able = [name for name, other in architectures().items() if other.has_projections]
        return f"contrastive_weight needs a network with projections: arch must be {' or '.join(able)}"
    if system is None:
        if recipe.lambda_ is not None:
            return f"lambda is for a system of one rate; {recipe.arch} learns all of them at once"
        return "sizes are of reference systems" if recipe.sizes else None
    if recipe.trellis:
        return f"trellis is of this project's networks, not of {recipe.arch}"
    if recipe.guidance_weight and not system.has_features:
        able = [name for name, other in architectures().items() if other.has_features]
        return f"guidance_weight needs features to guide: arch must be {', '.join((*CONFIGS, *able))}"
    if recipe.part in ("stem", "codec-after-stem", "entropy") or (
        recipe.part == "codec" and system.is_denoiser
    ):
        return f'part = "{recipe.part}" is of networks with both a denoiser and a codec, not of {recipe.arch}'
    if system.is_denoiser:
        return "lambda weighs distortion against rate; a denoiser has no rate" if recipe.lambda_ else None
    if recipe.lambda_ is None or recipe.lambda_ <= 0:
        return "lambda must be positive"
    return None


def _range_problem(recipe: Recipe) -> str | None:
    shares = ("clean_share", "full_strength_share", "high_rates_first", "final_rate", "ema", "threshold")
    for name in (*shares, "warmup_share"):
        if not 0 <= getattr(recipe, name) <= 1:
            return f"{name} must lie in 0 to 1"
    if recipe.learning_rate <= 0 or recipe.clip <= 0:
        return "learning_rate and clip must be positive"
    for name in ("stem_weight", "guidance_weight", "contrastive_weight"):
        if getattr(recipe, name) < 0:
            return f"{name} must be at least 0"
    if recipe.loss_cap is not None and recipe.loss_cap <= 0:
        return "loss_cap must be positive"
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
