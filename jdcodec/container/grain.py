"""The payload of the `grai` section: the look of the removed noise, in 42 bytes.

A `Grain` that exists is valid: each field's range is checked when one is made, so writing and reading share
one set of checks. What the numbers do to pixels is in `docs/format.md` and in `jdcodec.codec.grain`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from jdcodec.errors import FormatError

#: Brightness levels at which deviations stand, evenly spaced from black to white.
BRIGHTNESS_LEVELS = 8

#: Octaves that the spectrum is told in, from the finest to the coarsest.
BANDS = 5

#: A deviation code c stands for a standard deviation of c² / 512 levels of 255.
DEVIATION_SCALE = 512

#: A mixing code c stands for c / 128.
MIXING_SCALE = 128

_VERSION = 1
_PAYLOAD = struct.Struct(f"<BI{3 * BRIGHTNESS_LEVELS}B3b{2 * BANDS}B")
_MAX_MIXING = 127

Codes = tuple[int, ...]


@dataclass(frozen=True)
class Grain:
    """What is known of the removed noise; raises `FormatError` for a field outside its range.

    seed: 0 … 2³² − 1, of the synthetic grain. deviations: for Y, Co and Cg the standard deviation at eight
    brightness levels, codes 0…255. mixing: −127…127, how much of the noise of Y is in that of Co, of Y in Cg,
    and of Co in Cg. luma_bands, chroma_bands: amplitude of five octaves, 0…255, in proportion; not all 0.
    """

    seed: int
    deviations: tuple[Codes, Codes, Codes]
    mixing: Codes
    luma_bands: Codes
    chroma_bands: Codes

    def __post_init__(self) -> None:
        _check("seed", (self.seed,), 1, 0, 2**32 - 1)
        if len(self.deviations) != 3:
            raise FormatError(f"grain has deviations of {len(self.deviations)} channels instead of 3")
        for codes in self.deviations:
            _check("deviation", codes, BRIGHTNESS_LEVELS, 0, 255)
        _check("mixing", self.mixing, 3, -_MAX_MIXING, _MAX_MIXING)
        for name, bands in (("luma", self.luma_bands), ("chroma", self.chroma_bands)):
            _check(f"{name} band", bands, BANDS, 0, 255)
            if not any(bands):
                raise FormatError(f"grain has no {name} spectrum: all of its bands are 0")

    @property
    def deviation_levels(self) -> tuple[tuple[float, ...], ...]:
        """For Y, Co and Cg the standard deviations from black to white, in levels of 255."""
        return tuple(tuple(code**2 / DEVIATION_SCALE for code in codes) for codes in self.deviations)


def pack_grain(grain: Grain) -> bytes:
    """The payload that holds it."""
    codes = (code for channel in grain.deviations for code in channel)
    return _PAYLOAD.pack(_VERSION, grain.seed, *codes, *grain.mixing, *grain.luma_bands, *grain.chroma_bands)


def unpack_grain(payload: bytes | memoryview) -> Grain:
    """The grain in a payload.

    Raises `FormatError` where its version is unknown, its length is not that of its version, or a field is
    outside its range.
    """
    if not len(payload):
        raise FormatError("grain section is empty")
    if payload[0] != _VERSION:
        raise FormatError(f"grain of version {payload[0]} is unknown: this program reads version {_VERSION}")
    if len(payload) != _PAYLOAD.size:
        raise FormatError(f"grain section has {len(payload)} bytes instead of {_PAYLOAD.size}")
    _, seed, *codes = _PAYLOAD.unpack(payload)
    levels, rest = codes[: 3 * BRIGHTNESS_LEVELS], codes[3 * BRIGHTNESS_LEVELS :]
    luma, co, cg = (
        tuple(levels[i : i + BRIGHTNESS_LEVELS]) for i in range(0, len(levels), BRIGHTNESS_LEVELS)
    )
    return Grain(
        seed=seed,
        deviations=(luma, co, cg),
        mixing=tuple(rest[:3]),
        luma_bands=tuple(rest[3 : 3 + BANDS]),
        chroma_bands=tuple(rest[3 + BANDS :]),
    )


def _check(name: str, codes: Codes, count: int, lowest: int, highest: int) -> None:
    if len(codes) != count:
        raise FormatError(f"grain has {len(codes)} codes for its {name} instead of {count}")
    for code in codes:
        if not lowest <= code <= highest:
            raise FormatError(f"grain {name} {code} is outside {lowest} … {highest}")
