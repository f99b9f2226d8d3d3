"""Names of codecs under test, as `--vs` takes them, and what they stand for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jdcodec.errors import OptionError
from jdcodec.reference import architectures

from .codec import Codec
from .denoisers import DenoiseFirst, Denoiser, classic_denoisers
from .libraries import LIBRARIES
from .ours import is_ours, our_denoiser, ours
from .programs import DEFAULT_TIME_LIMIT, PROGRAMS
from .reference import PREFIX as REFERENCE
from .reference import reference_curve
from .trained import PREFIX as TRAINED
from .trained import split_front, trained_denoiser

ALIASES = {
    "jpg": "jpeg",
    "jpegxl": "jxl",
    "heif": "heic",
    "jpeg2000": "jp2",
    "opj": "opj_compress",
    "bpgenc": "bpg",
}


@dataclass(frozen=True)
class Choice:
    """How codecs are set up: jdc's model, strength of denoising and device; the programs' time limit."""

    model: str = "fast"
    denoise: float = 1.0
    device: str = "auto"
    time_limit: float = DEFAULT_TIME_LIMIT


def codec_names() -> tuple[str, ...]:
    """Names of all codecs that can be chosen, without checkpoints and without denoisers in front."""
    return ("jdc", *(c.name for c in LIBRARIES), *(c.name for c in PROGRAMS))


def denoiser_names() -> tuple[str, ...]:
    """Names that can stand before a `+`, without checkpoints."""
    return (*(d.name for d in classic_denoisers()), "stem")


def choose(names: Sequence[str], choice: Choice) -> tuple[Codec, ...]:
    """The codecs of these names, in this order, each once.

    Raises JdcError for an unknown name, with the nearest known one, and for checkpoints that cannot be used.
    """
    programs = [replace(program, time_limit=choice.time_limit) for program in PROGRAMS]
    codecs: dict[str, Codec] = {c.name: c for c in LIBRARIES}
    codecs |= {c.name: c for c in programs}
    denoisers = {d.name: d for d in (*classic_denoisers(), our_denoiser(choice.model, choice.device))}
    chosen: dict[str, Codec] = {}
    for name in names:
        codec = _one(name.strip(), codecs, denoisers, choice)
        chosen.setdefault(codec.name, codec)
    return tuple(chosen.values())


def _one(name: str, codecs: dict[str, Codec], denoisers: dict[str, Denoiser], choice: Choice) -> Codec:
    if is_ours(name):
        return ours(name, model=choice.model, denoise=choice.denoise, device=choice.device)
    if name.startswith(REFERENCE):
        return reference_curve(name, choice.device)
    first, plus, rest = name.partition("+")
    if name.startswith(TRAINED):
        first, rest = split_front(name)
        if not rest:
            raise OptionError(f"{name}: a denoiser goes before a codec, as in {first}+jxl")
        if first not in denoisers:
            denoisers[first] = trained_denoiser(first, choice.device)
    if plus:
        if first not in denoisers:
            raise OptionError(_unknown("denoiser", first, tuple(denoisers)))
        return DenoiseFirst(denoisers[first], _one(rest, codecs, denoisers, choice))
    known = ALIASES.get(name, name)
    if known not in codecs:
        raise OptionError(_unknown("codec", name, ("jdc", *codecs, *ALIASES)))
    return codecs[known]


def _unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    system = architectures().get(name)
    if system:
        call = f"{TRAINED}PATH+CODEC" if system.is_denoiser else f"{REFERENCE}PATH"
        ours = "; jdc's own is called stem" if what == "denoiser" else ""
        return f"{what} {name!r} has to be trained (jdc train --arch {name}), then call it {call}{ours}"
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    hint = (
        f"did you mean {ALIASES.get(near[0], near[0])}?"
        if near
        else f"known: {', '.join(name for name in known if name not in ALIASES)}"
    )
    return f"unknown {what} {name!r}: {hint}"
