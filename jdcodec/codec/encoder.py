"""A photo to the bytes of a `.jdc` file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from jdcodec.codec.denoisers import with_denoiser_for
from jdcodec.codec.grain_meter import GrainMeter
from jdcodec.codec.noise import NoisePower, auto_strength
from jdcodec.codec.noise_policy import useful_quality
from jdcodec.codec.target import SizeGoal, code_to_size
from jdcodec.codec.weights import Weights, find_model
from jdcodec.container import Header, Limits, Metadata, Tile, TileRect, Writer, parse
from jdcodec.container.grain import pack_grain
from jdcodec.container.header import MAX_QUALITY_CODE
from jdcodec.container.layout import DEFAULT_LIMITS
from jdcodec.entropy import encode_tile, symbols_crc
from jdcodec.errors import JdcError
from jdcodec.threads import in_order

if TYPE_CHECKING:
    from jdcodec.codec.effort import Aim
    from jdcodec.codec.symbols import Symbols
    from jdcodec.inference.interface import Denoised, Floats, Inference
    from jdcodec.photo import Photo


# Where the search for a size begins: latents from the middle of the scale hold for both of its ends.
_MIDDLE_STEP = MAX_QUALITY_CODE // 2

#: How long to search for better symbols, 1 to MAX_EFFORT: up to the default not at all, then a pass for each.
DEFAULT_EFFORT, MAX_EFFORT = 4, 9


@dataclass(frozen=True)
class EncodeSettings:
    """quality: 1 (smallest) to 8 (best), real. denoise: 0 (keep what the sensor saw) to 1 (clean scene).

    denoise may be "auto": 1 for a photo with visible noise, 0 for a clean one (see `noise`). size: a wanted
    size, for which the quality is found; a bound only lowers the quality given, a target ignores it. Above
    quality 6 a noisy photo is coded at one up to 1/2 lower, see `noise_policy`, unless a target wants more.
    model: name of a shipped model, or path of a weights file. device and precision: see `runtime`.
    effort: 1 (fastest) to 9 (smallest for what it shows); see `effort`.
    """

    quality: float = 5.0
    denoise: float | Literal["auto"] = 1.0
    model: str = "fast"
    device: str = "auto"
    precision: str = "auto"
    tile_size: int = 1024
    limits: Limits = DEFAULT_LIMITS
    size: SizeGoal | None = None
    effort: int = DEFAULT_EFFORT

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 8:
            raise JdcError(f"quality must lie between 1 and 8, not {self.quality:g}")
        if isinstance(self.denoise, str):
            if self.denoise != "auto":
                raise JdcError(f"denoise must lie between 0 and 1, or be auto, not {self.denoise!r}")
        elif not 0 <= self.denoise <= 1:
            raise JdcError(f"denoise must lie between 0 and 1, not {self.denoise:g}")
        if not (isinstance(self.effort, int) and 1 <= self.effort <= MAX_EFFORT):
            raise JdcError(f"effort must be a whole number from 1 to {MAX_EFFORT}, not {self.effort!r}")


@dataclass(frozen=True)
class Coded:
    """A coded photo: the file, its header, and how often the large networks ran over the photo.

    notes: what was done otherwise than asked for, one sentence each.
    """

    data: bytes
    header: Header
    network_runs: int
    notes: tuple[str, ...] = ()


def encode_photo(photo: Photo, settings: EncodeSettings) -> bytes:
    """Code a photo; raises JdcError (limits, model, settings, a size that cannot be had)."""
    return code_photo(photo, settings).data


def code_photo(photo: Photo, settings: EncodeSettings) -> Coded:
    """As `encode_photo`, and tell what was chosen where the settings left a choice."""
    coder = _PhotoCoder(photo, settings)
    step, goal = coder.header.quality_code, settings.size
    if goal is None:
        coder.analyse(step)
        data = coder.code(step)
    elif goal.never_above:
        data = code_to_size(coder, goal.in_bytes(photo.width * photo.height), start=step, highest=step)
    else:
        data = code_to_size(
            coder, goal.in_bytes(photo.width * photo.height), start=_MIDDLE_STEP, highest=MAX_QUALITY_CODE
        )
    header = parse(data, settings.limits).header
    notes: tuple[str, ...] = ()
    if goal is None and header.quality_code < step:
        notes = (
            f"Noisy: coded at quality {header.quality:g} instead of {coder.header.quality:g}, "
            "which would show more noise alone.",
        )
    return Coded(data, header, coder.runs, notes)


def code_tiles(symbols: Symbols, weights: Weights, header: Header) -> Iterator[Tile]:
    """Range-code each tile of a picture's symbols."""

    def code(rect: TileRect) -> Tile:
        tile = symbols.tile(rect)
        z, y = np.ascontiguousarray(tile.z), np.ascontiguousarray(tile.y)
        layout = symbols.layouts.get(rect.index)
        data = encode_tile(weights.tables, z, y, header.quality_code, layout)
        return Tile(rect.index, symbols_crc(z, y), data)

    return in_order(code, header.tiles())


class _PhotoCoder:
    """One photo in the making: latents at a quality step, and files from them.

    header: that of a file at the quality of the settings. runs: how often the large networks ran.
    """

    def __init__(self, photo: Photo, settings: EncodeSettings) -> None:
        self.runs = 0
        self._photo = photo
        self._settings = settings
        self._weights = find_model(settings.model)
        if settings.denoise != 0:
            self._weights = with_denoiser_for(photo.pixels, self._weights, self._start)
        self._latents: Floats | None = None
        self._noise = 0.0
        self._grain: bytes | None = None
        self._aim: Aim | None = None
        self.header = Header.from_settings(
            model_id=self._weights.model_id,
            quality=settings.quality,
            denoise=self._strength(),
            gray=photo.is_gray,
            bit_depth=photo.bit_depth,
            width=photo.width,
            height=photo.height,
            tile_size=settings.tile_size,
        )

    def analyse(self, step: int) -> None:
        """Run denoiser and analysis transform at a quality step."""
        from jdcodec.codec.symbols import picture_to_latents, prepare_analysis

        header = replace(self.header, quality_code=step)
        inference = self._inference(header.quality)
        prepare_analysis(self._photo.pixels, inference, header.denoise)
        # What is removed does not depend on the quality: it is measured once.
        measured = header.denoise > 0 and not self.runs
        meter, power = GrainMeter(header.width * header.height), NoisePower()

        def measure(noisy: NDArray[Any], clean: Denoised) -> None:
            meter.add(noisy, clean)
            power.add(noisy, clean)
            if not self._noise:  # as noisy as its first window: that will do to get ready
                self._noise = power.result()
                self._prepare_coding(header)

        if not measured:
            self._prepare_coding(header)

        self._latents = picture_to_latents(
            self._photo.pixels, inference, strength=header.denoise, observe=measure if measured else None
        )
        if measured:
            grain = meter.result()
            self._grain = pack_grain(grain) if grain else None
            self._noise = power.result()
            self._prepare_coding(header)
        self.runs += 1

    def code(self, step: int) -> bytes:
        """The whole file at a quality step, from the latents of the last `analyse`."""
        from jdcodec.codec.symbols import latents_to_symbols

        assert self._latents is not None
        photo, weights = self._photo, self._weights
        header = self._as_coded(replace(self.header, quality_code=step))
        inference = self._inference(header.quality)
        symbols = latents_to_symbols(
            self._latents,
            inference,
            weights.tables,
            header.tiles(),
            quality_step=header.quality_code,
            noise=self._noise,
            denoise=header.denoise,
        )
        if self._settings.effort > DEFAULT_EFFORT:
            symbols = self._refined(symbols, header, inference)
        buffer = io.BytesIO()
        metadata = Metadata(photo.exif, photo.xmp, photo.icc, self._grain)
        writer = Writer(buffer, header, metadata, self._settings.limits)
        for tile in code_tiles(symbols, weights, header):
            writer.add_tile(tile)
        writer.finish()
        return buffer.getvalue()

    def _prepare_coding(self, header: Header) -> None:
        """Get ready in the background; nothing where that has been done for the same quality."""
        from jdcodec.codec.symbols import prepare_coding

        inference = self._inference(self._as_coded(header).quality)
        prepare_coding((header.coded_height, header.coded_width), inference)

    def _as_coded(self, header: Header) -> Header:
        """At the quality that a photo as noisy is coded at. A size that is wanted may need any."""
        if self._settings.size is None or self._settings.size.never_above:
            return header.at_quality(useful_quality(self._noise, header.quality, header.denoise))
        return header

    def _refined(self, symbols: Symbols, header: Header, inference: Inference) -> Symbols:
        """Better symbols for the latents of the last `analyse`."""
        from jdcodec.codec.denoised import without_noise
        from jdcodec.codec.effort import Aim, refine

        assert self._latents is not None
        if self._aim is None:
            self._aim = Aim(without_noise(self._photo.pixels, inference, header.denoise), self._noise)
        passes = self._settings.effort - DEFAULT_EFFORT
        return refine(symbols, self._latents, self._aim, inference, self._weights, header, passes=passes)

    def _strength(self) -> float:
        if not isinstance(self._settings.denoise, str):
            return self._settings.denoise
        return auto_strength(self._photo.pixels, self._inference(self._settings.quality))

    def _inference(self, quality: float) -> Inference:
        return self._start(self._weights, quality)

    def _start(self, weights: Weights, quality: float | None = None) -> Inference:
        """A network at a quality, that of the settings if none is given."""
        from jdcodec.codec.runtime import start_inference

        settings = self._settings
        return start_inference(
            weights, quality or settings.quality, device=settings.device, precision=settings.precision
        )
