"""How long a run is, and the learning rate on its way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .recipe import Recipe


@dataclass(frozen=True)
class Schedule:
    """A budget of `minutes` of training, or of `steps` where they are given."""

    minutes: float = 60.0
    steps: int | None = None

    def __str__(self) -> str:
        return f"{self.minutes:g} minutes" if self.steps is None else f"{self.steps} steps"

    @classmethod
    def choose(cls, minutes: float | None, steps: int | None, before: Schedule | None) -> Schedule:
        """What is asked for; where nothing is, the schedule of the run that is resumed, or an hour."""
        if steps is not None:
            return cls(steps=steps)
        if minutes is not None:
            return cls(minutes)
        return before or cls()

    @classmethod
    def of_progress(cls, progress: dict[str, Any]) -> Schedule | None:
        """The schedule in a checkpoint's progress; None in one that lacks it. Raises ValueError."""
        minutes, steps = progress.get("minutes"), progress.get("steps")
        if steps is not None:
            if type(steps) is not int or steps < 1:
                raise ValueError(f"a schedule of {steps!r} steps")
            return cls(steps=steps)
        if minutes is None:
            return None
        if type(minutes) not in (int, float) or not 0 < minutes < math.inf:
            raise ValueError(f"a schedule of {minutes!r} minutes")
        return cls(float(minutes))

    def to_progress(self) -> dict[str, Any]:
        """What `of_progress` reads."""
        return {"steps": self.steps} if self.steps is not None else {"minutes": self.minutes}

    def progress(self, step: int, elapsed: float) -> float:
        """Share that is done, 0 to 1, after so many steps that took `elapsed` seconds."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        return min(1.0, elapsed / (60.0 * self.minutes))

    def learning_rate(self, recipe: Recipe, step: int, elapsed: float) -> float:
        """Share of the recipe's learning rate, 0 to 1: warm-up, then cosine to the final rate."""
        done = self.progress(step, elapsed)
        warmup = min(1.0, (step + 1) / recipe.warmup_steps)
        if done < recipe.warmup_share:
            warmup = min(warmup, done / recipe.warmup_share)
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        return warmup * (recipe.final_rate + (1 - recipe.final_rate) * cosine)

    def change_from(self, before: Schedule | None, recipe: Recipe, step: int, elapsed: float) -> str | None:
        """One line on what becomes of a run that goes on with this schedule; None where it is the same."""
        if before is None or before == self:
            return None
        was, now = (100 * schedule.progress(step, elapsed) for schedule in (before, self))
        if now >= 100:
            return f"the schedule was {before} and is now {self}, which are over: no step is taken"
        old_rate, rate = (schedule.learning_rate(recipe, step, elapsed) for schedule in (before, self))
        return (
            f"the schedule was {before} and is now {self}: {now:.0f} % of it is done instead of {was:.0f} %, "
            f"and the learning rate goes on at {rate:.2g} of the recipe's instead of {old_rate:.2g}"
        )
