"""A network as a chain of named parts, for counting and timing them one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

Role = Literal["encoder", "entropy", "decoder"]


@dataclass(frozen=True)
class Part:
    """A step on the way from a picture to its reconstruction.

    `run` takes what the part before returned, the first one a picture (1, C, H, W) with sides that are
    multiples of 64. `modules` own the part's parameters. `coding`, where given, is how real coding has to
    compute the same, site after site; it is timed in place of `run`. All of the entropy model runs in the
    encoder; `encoder_only` parts of it do not run in the decoder.
    """

    name: str
    role: Role
    modules: tuple[nn.Module, ...]
    run: Callable[[Any], Any]
    coding: Callable[[Any], Any] | None = None
    encoder_only: bool = False

    @property
    def in_decoder(self) -> bool:
        """Whether decoding a picture runs this part."""
        return self.role != "encoder" and not self.encoder_only
