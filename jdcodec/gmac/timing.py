"""Seconds that each part of a network takes on a device."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from jdcodec.errors import ModelError, first_line
from jdcodec.reference.parts import Part

#: A part runs once to warm up and then until it has run so often or so long.
_RUNS = 3
_SECONDS = 2.0


@dataclass(frozen=True)
class Place:
    """Where and how networks run. With dtype bfloat16 convolutions are cast to it, by autocast."""

    device: torch.device
    dtype: torch.dtype

    @classmethod
    def choose(cls, device: str = "auto", bf16: bool = False) -> Place:
        """device: "auto" (CUDA where there is one, else the CPU) or torch's name. Raises ModelError."""
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            place = torch.device(device)
            torch.empty(1, device=place).cpu()
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            reason = first_line(error)
            raise ModelError(f"device {device!r} cannot be used: {reason}; try --device cpu") from error
        return cls(place, torch.bfloat16 if bf16 else torch.float32)

    def describe(self) -> str:
        """As for a reader: "cpu, 2 threads, float32"."""
        kind = str(self.dtype).removeprefix("torch.")
        if self.device.type == "cuda":
            return f"{torch.cuda.get_device_name(self.device)}, {kind}"
        threads = torch.get_num_threads()
        return f"{self.device}, {threads} thread{'s' if threads > 1 else ''}, {kind}"


@torch.no_grad()
def time_parts(parts: Sequence[Part], channels: int, side: int, place: Place) -> list[float]:
    """Least seconds of a few runs of each part, for a random picture of `side` × `side` pixels.

    Parts that coding has to run site after site (`Part.coding`) are timed that way.
    """
    state: Any = torch.rand(1, channels, side, side, device=place.device)
    seconds = []
    with torch.autocast(place.device.type, dtype=place.dtype, enabled=place.dtype != torch.float32):
        for part in parts:
            run = part.coding or part.run
            result = run(state)
            times: list[float] = []
            while not times or (len(times) < _RUNS and sum(times) < _SECONDS):
                _wait(place.device)
                start = time.perf_counter()
                result = run(state)
                _wait(place.device)
                times.append(time.perf_counter() - start)
            seconds.append(min(times))
            state = result
    return seconds


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
