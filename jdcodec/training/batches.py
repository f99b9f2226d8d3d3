"""What a step trains on: data opened for a recipe, and batches drawn from it by seed and step alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from jdcodec.errors import TrainingError

from .data import find_photographs, hold_out, keep_low_iso, load_photographs, mixed_seed, random_crops
from .distributed import ALONE, Team
from .fingerprint import Fingerprint
from .index import PairIndex
from .recipe import Phase, Recipe
from .validation import Validation


@dataclass(frozen=True)
class DataOptions:
    """Where pictures are: a folder of clean photographs and an index of pairs, as the recipe asks for them.

    max_iso: of the photographs, only those whose EXIF has at most this ISO; those without one only where
    `unknown_iso` is set.
    """

    photographs: Path | None = None
    pairs: Path | None = None
    max_iso: int | None = None
    unknown_iso: bool = False


@dataclass(frozen=True)
class Batch:
    """Pictures (B, 3, H, W) in [0, 1], and of each the denoise strength and quality position, (B,).

    `target` is the scene without noise; what a strength below 1 asks for lies between it and `noisy`.
    """

    noisy: Tensor
    target: Tensor
    strength: Tensor
    t: Tensor


@dataclass(frozen=True)
class Order:
    """What a batch of a recipe depends on: step, crops, and whether high qualities come first still."""

    step: int
    phase: Phase
    high_rates: bool = False


@dataclass(frozen=True)
class Sources:
    """What a recipe trains on, found and checked as far as that is possible without decoding a picture.

    photographs: those below the folder that are trained on or held out, sorted.
    """

    options: DataOptions
    photographs: list[Path]
    pairs: PairIndex | None

    @classmethod
    def find(cls, recipe: Recipe, options: DataOptions) -> Sources:
        """Raises TrainingError where something is missing or does not fit."""
        largest = max(phase.crop for phase in recipe.phases)
        paths: list[Path] = []
        if recipe.needs_photographs:
            if options.photographs is None:
                raise TrainingError(f"recipe {recipe.name} needs a folder of clean photographs: --data")
            paths = find_photographs(options.photographs)
            if options.max_iso is not None:
                paths = keep_low_iso(paths, options.max_iso, options.unknown_iso)
        pairs = _open_pairs(recipe, options.pairs, largest) if recipe.source == "pairs" else None
        return cls(options, paths, pairs)

    def fingerprint(self) -> Fingerprint:
        """What tells these data from others. Raises TrainingError."""
        return Fingerprint.of(self.options.photographs, self.photographs, self.pairs)


class Batches:
    """Draws the batches of a recipe, in any thread. Everything about the data is checked on construction."""

    def __init__(
        self,
        recipe: Recipe,
        photographs: Sequence[Tensor],
        pairs: PairIndex | None,
        validation: Validation | None,
        device: torch.device,
        team: Team = ALONE,
    ) -> None:
        self.recipe, self.device, self.team = recipe, device, team
        self.photographs, self.pairs, self.validation = photographs, pairs, validation

    @classmethod
    def open(cls, recipe: Recipe, options: DataOptions, device: torch.device, team: Team = ALONE) -> Batches:
        """`load` of what `Sources.find` finds."""
        return cls.load(recipe, Sources.find(recipe, options), device, team)

    @classmethod
    def load(cls, recipe: Recipe, sources: Sources, device: torch.device, team: Team = ALONE) -> Batches:
        """Decode the photographs; raises TrainingError where something does not fit."""
        for phase in recipe.phases:
            team.check_divides(phase.batch)
        largest = max(phase.crop for phase in recipe.phases)
        photographs: list[Tensor] = []
        pairs, validation = None, None
        if sources.photographs:
            paths, held_out = hold_out(sources.photographs, recipe.hold_out_every)
            photographs = [p.to(device) for p in load_photographs(paths, largest)]
            validation = _validation(held_out, largest, device)
        if sources.pairs is not None:
            pairs, apart = sources.pairs.hold_out(recipe.hold_out_every)
            validation = Validation.of_pairs(apart, device) if len(apart) else validation
        return cls(recipe, photographs, pairs, validation, device, team)

    def unmeasured(self) -> str | None:
        """One line where nothing is held out to measure and show; None where something is."""
        if self.validation is not None:
            return None
        every = self.recipe.hold_out_every
        found = f"{len(self.photographs)} photographs"
        if self.pairs is not None:
            found = f"pairs of {len({self.pairs.rows[place].scene for place in self.pairs.places})} scenes"
        return (
            f"only {found}, and every {every}th would be held out: none is, so nothing is measured or shown "
            "while training; a smaller hold_out_every in a recipe of your own holds some out"
        )

    def order(self, step: int, progress: float) -> Order:
        """What to draw for a step before which `progress`, 0 to 1, of the schedule is done."""
        phase = [phase for phase in self.recipe.phases if phase.start <= progress][-1]
        return Order(step, phase, progress < self.recipe.high_rates_first)

    def draw(self, order: Order) -> Batch:
        """The batch of a step, drawn from seed and step alone, so that a resume repeats it.

        Of several processes each makes its share: together they have the crops, mix, strengths and qualities
        that one process would have; made noise is drawn by each process for itself. On a CPU no other threads
        help, as how torch divides work among them shows in the last bits.
        """
        with _one_thread():
            return self._drawn(order.step, order.phase, order.high_rates)

    def _drawn(self, step: int, phase: Phase, high_rates: bool) -> Batch:
        recipe, share = self.recipe, self.team.share
        cpu_generator = torch.Generator().manual_seed(mixed_seed(recipe.seed, step, "crops"))
        unit = torch.rand(4, phase.batch, generator=self._mix_generator(step))[:, share].to(self.device)
        noisy, target, clean = self._pictures(step, phase, cpu_generator)
        keep_clean = self._clean_places(phase.batch, unit[0])[:, None, None, None]
        noisy = torch.where(keep_clean, clean, noisy)
        target = torch.where(keep_clean, clean, target)
        strength = torch.where(unit[1] < recipe.full_strength_share, torch.ones_like(unit[1]), unit[2])
        t = unit[3]
        if high_rates:
            t = t.sqrt()
        return Batch(noisy, target, strength, t)

    def clean(self, count: int, crop: int) -> Tensor:
        """(count, 3, crop, crop) clean crops to start a network from."""
        generator = torch.Generator().manual_seed(self.recipe.seed)
        if self.pairs is not None:
            return self.pairs.draw(count, crop, generator, self.device)[1]
        return random_crops(self.photographs, count, crop, generator, self.device)

    def _mix_generator(self, step: int) -> torch.Generator:
        return torch.Generator().manual_seed(mixed_seed(self.recipe.seed, step, "mix"))

    def _pictures(
        self, step: int, phase: Phase, cpu_generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(noisy, target, clean) of this process's share; what is not asked for is one of the others."""
        place = (phase.batch, phase.crop, cpu_generator, self.device, self.team.share)
        if self.pairs is not None:
            noisy, target = self.pairs.draw(*place)
            clean = random_crops(self.photographs, *place) if self.photographs else target
            return noisy, target, clean
        clean = random_crops(self.photographs, *place)
        if self.recipe.part == "codec":
            return clean, clean, clean
        seed = mixed_seed(self.recipe.seed, step, "noise", *self.team.own)
        generator = torch.Generator(self.device).manual_seed(seed)
        return *self.recipe.noise(clean, generator), clean

    def _clean_places(self, batch: int, unit: Tensor) -> Tensor:
        """Which pictures of the share are clean, bool; `unit` is uniform in [0, 1), one for each."""
        if self.recipe.exact_mix:
            count = round(self.recipe.clean_share * batch)
            return torch.arange(batch, device=unit.device)[self.team.share] >= batch - count
        return unit < self.recipe.clean_share


@contextmanager
def _one_thread() -> Iterator[None]:
    """Within it, torch's operations called by this thread use no other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _validation(held_out: Sequence[Path], largest: int, device: torch.device) -> Validation | None:
    if not held_out:
        return None
    photographs = load_photographs(held_out, min(256, largest))
    smallest = min(min(photograph.shape[:2]) for photograph in photographs)
    return Validation.of_photographs(photographs, device, min(256, smallest // 64 * 64))


def _open_pairs(recipe: Recipe, folder: Path | None, largest: int) -> PairIndex:
    if folder is None:
        raise TrainingError(
            f"recipe {recipe.name} needs indexed pairs: make them with jdc data index, then --pairs"
        )
    pairs = PairIndex.open(folder)
    if pairs.targets != recipe.targets:
        raise TrainingError(
            f"{folder}: its targets are {pairs.targets}; recipe {recipe.name} asks for {recipe.targets} ones"
        )
    if largest > pairs.crop:
        raise TrainingError(
            f"{folder}: its crops of {pairs.crop} pixels are smaller than the recipe's {largest}"
        )
    return pairs.select(recipe.threshold)
