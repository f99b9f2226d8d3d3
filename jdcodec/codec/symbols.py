"""Picture to integer symbols and back, window by window, with the networks of `jdcodec.inference`.

Of a whole picture only pixels, latents (when encoding) and symbols are held; the denoised picture and decoded
latents exist just where the windows at work reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.codec.denoised import coded_size, padded
from jdcodec.codec.noise_policy import rounding_strength
from jdcodec.codec.quantise import half_place, quantise_tiles
from jdcodec.codec.rounding import error_worth
from jdcodec.codec.windows import WINDOW_PIXELS, Window, cover, relay
from jdcodec.container import Header, TileRect
from jdcodec.entropy import EntropyTables
from jdcodec.entropy.layout import Layout
from jdcodec.entropy.tables import HYPER_LIMIT, QUALITY_STEPS
from jdcodec.inference.halo import HYPER_HALO, MEAN_HALO
from jdcodec.inference.interface import Call, Denoised, Floats, Inference, PixelType
from jdcodec.model.config import HYPER_STRIDE, LATENT_STRIDE
from jdcodec.threads import in_order

_SITES = HYPER_STRIDE // LATENT_STRIDE

#: Told of one window of the picture after the other: pixels and denoised picture, both (h, w, 3).
Observer = Callable[[NDArray[Any], Denoised], None]


@dataclass(frozen=True)
class Symbols:
    """What a file's tiles code: hyperlatents z (N, h, w) int8 and latents y (M, 4 h, 4 w) int16, in units.

    layouts: those of tiles by index, where the symbols were made with them.
    """

    z: NDArray[np.int8]
    y: NDArray[np.int16]
    layouts: dict[int, Layout] = field(default_factory=dict)

    @classmethod
    def empty(cls, tables: EntropyTables, coded_height: int, coded_width: int) -> Symbols:
        rows, columns = coded_height // HYPER_STRIDE, coded_width // HYPER_STRIDE
        return cls(
            np.zeros((tables.hyper_channels, rows, columns), np.int8),
            np.zeros((tables.latent_channels, _SITES * rows, _SITES * columns), np.int16),
        )

    def tile(self, rect: TileRect) -> Symbols:
        """The symbols of one tile, as views."""
        return Symbols(self.z[_place(rect, HYPER_STRIDE)], self.y[_place(rect, LATENT_STRIDE)])


def _place(rect: TileRect, stride: int) -> tuple[slice, slice, slice]:
    """A tile's place in a grid (channels, rows, columns)."""
    rows = slice(rect.y // stride, (rect.y + rect.height) // stride)
    return slice(None), rows, slice(rect.x // stride, (rect.x + rect.width) // stride)


def prepare_analysis(pixels: NDArray[Any], inference: Inference, strength: float) -> None:
    """Let a network get ready, in the background, for `picture_to_latents`."""
    coded = coded_size(pixels.shape[0]), coded_size(pixels.shape[1])
    calls: list[Call] = [("latents", *_size(_analysis_windows(coded, inference, WINDOW_PIXELS)))]
    if strength:
        windows = _denoiser_windows(coded, inference, strength, WINDOW_PIXELS)
        calls.insert(0, ("denoise", *_size(windows), pixels.dtype.type))
    inference.prepare(calls)


def prepare_coding(coded: tuple[int, int], inference: Inference) -> None:
    """Let a network get ready, in the background, for `latents_to_symbols`; `coded` as in the header."""
    sites = coded[0] // LATENT_STRIDE, coded[1] // LATENT_STRIDE
    inference.prepare(
        [
            ("hyperlatents", *_size(_hyper_windows(sites, WINDOW_PIXELS))),
            ("anchor_means", *_size(_mean_windows(sites, WINDOW_PIXELS))),
            ("other_means", *_size(_mean_windows(sites, WINDOW_PIXELS))),
        ]
    )


def prepare_decoding(
    coded: tuple[int, int], inference: Inference, dtype: PixelType, *, gray: bool = False
) -> None:
    """Let a network get ready, in the background, for decoding a picture; `coded` as in its header."""
    sites = coded[0] // LATENT_STRIDE, coded[1] // LATENT_STRIDE
    windows = _synthesis_windows(sites, inference, WINDOW_PIXELS)
    inference.prepare(
        [
            ("reconstruct_latents", *_size(_mean_windows(sites, WINDOW_PIXELS))),
            ("picture", *_size(windows), dtype, gray),
        ]
    )


def _size(windows: Iterator[Window]) -> tuple[int, int]:
    """(height, width) of windows, halo included, which is the same for all of a grid."""
    first = next(windows)
    return first.outer_bottom - first.outer_top, first.outer_right - first.outer_left


def picture_to_latents(
    pixels: NDArray[Any],
    inference: Inference,
    *,
    strength: float,
    window_pixels: int = WINDOW_PIXELS,
    observe: Observer | None = None,
) -> Floats:
    """Pixels (H, W, 3) uint8 or uint16, sRGB, to latents (M, h, w), not rounded; 16 h × 16 w covers them.

    strength: 0 … 1, the share of noise to remove. `observe` is called for one window after the other.
    """
    coded = coded_size(pixels.shape[0]), coded_size(pixels.shape[1])

    def denoised(window: Window) -> Denoised:
        # Copied here and below, since a view would keep the halo, too.
        clean = inference.denoise(padded(pixels, window), strength)[:, *window.inner()].copy()
        if observe is not None:
            cut = pixels[window.core]
            observe(cut, clean.transpose(1, 2, 0)[: cut.shape[0], : cut.shape[1]])
        return clean

    sources = _denoiser_windows(coded, inference, strength, window_pixels)
    targets = _analysis_windows(coded, inference, window_pixels)
    y = np.empty((inference.config.latent_channels, *(side // LATENT_STRIDE for side in coded)), np.float32)
    for window, picture in relay(sources, targets, denoised):
        latents = inference.latents(picture)
        rows, columns = (slice(s.start // LATENT_STRIDE, s.stop // LATENT_STRIDE) for s in window.inner())
        core = (slice(s.start // LATENT_STRIDE, s.stop // LATENT_STRIDE) for s in window.core)
        y[:, *core] = latents[:, rows, columns]

    return y


def latents_to_symbols(
    y: Floats,
    inference: Inference,
    tables: EntropyTables,
    tiles: Iterable[TileRect],
    *,
    quality_step: int,
    noise: float,
    denoise: float,
    window_pixels: int = WINDOW_PIXELS,
) -> Symbols:
    """Latents (M, h, w) of a whole picture, not rounded yet, to symbols: the cheaper half of the work.

    tiles: those of the picture, all of them. noise: mean square of what was removed from the picture, pixels
    in [0, 1] (`NoisePower`). denoise: 0 … 1, the share of the noise that this is.
    """
    sites = y.shape[1], y.shape[2]
    symbols = Symbols.empty(tables, sites[0] * LATENT_STRIDE, sites[1] * LATENT_STRIDE)
    for window in _hyper_windows(sites, window_pixels):
        z = inference.rounded_hyperlatents(y[:, *window.outer], HYPER_LIMIT)
        symbols.z[:, *_coarser(window.core)] = z[:, *_coarser(window.inner())]

    def layout(rect: TileRect) -> tuple[int, Layout]:
        levels = tables.scale_indices(symbols.tile(rect).z, quality_step)
        return rect.index, Layout.of(tables, levels)

    tiles = list(tiles)
    symbols.layouts.update(in_order(layout, tiles))
    parts = [(_place(rect, LATENT_STRIDE), symbols.layouts[rect.index]) for rect in tiles]
    quality = 1.0 + quality_step / QUALITY_STEPS
    worth = error_worth(inference.gain, quality, rounding_strength(noise, quality, denoise))
    gain = inference.gain[:, None, None]
    values = np.empty((len(y), sites[0], sites[1] // 2), np.float32)
    for phase in (0, 1):
        for window in _mean_windows(sites, window_pixels):
            z = symbols.z[:, *_coarser(window.outer)]
            if phase:
                means = inference.other_means(symbols.y[:, *window.outer], z)
            else:
                means = inference.anchor_means(z)
            found = values[half_place((slice(None), *window.core))]
            for parity in (0, 1):
                here = slice(None), slice(parity, None, 2), slice((phase + parity) % 2, None, 2)
                latents = y[:, *window.core][here]
                np.subtract(latents, means[:, *window.inner()][here], out=found[:, parity::2])
            found *= gain
        quantise_tiles(values, symbols.y, parts, worth, tables, phase)
    return symbols


def wait_for(tiles: Mapping[int, Future[Any]], header: Header, window: Window) -> None:
    """Return once those tiles are there that a window of latents reaches into; raises what they raise.

    tiles: all of a file, by index.
    """
    sites = header.tile_size // LATENT_STRIDE
    rows, columns = (range(side.start // sites, -(-side.stop // sites)) for side in window.outer)
    for row in rows:
        for column in columns:
            tiles[row * header.columns + column].result()


def symbols_to_picture(
    symbols: Symbols,
    inference: Inference,
    size: tuple[int, int],
    dtype: PixelType,
    *,
    gray: bool = False,
    window_pixels: int = WINDOW_PIXELS,
    before: Callable[[Window], None] | None = None,
) -> NDArray[Any]:
    """Symbols to pixels (height, width, 3) of `dtype`; `size` is (height, width) as displayed.

    `gray`: the three channels are averaged, so that a gray photo comes back without a tint. `before` is
    called before the symbols of a window of latents are looked at.
    """
    sites = symbols.y.shape[1], symbols.y.shape[2]

    def decoded(window: Window) -> Floats:
        if before is not None:
            before(window)
        return _decoded_latents(symbols, inference, window).copy()

    sources = _mean_windows(sites, window_pixels)
    parts = relay(sources, _synthesis_windows(sites, inference, window_pixels), decoded)
    return _synthesised(parts, inference, np.empty((*size, 3), dtype), gray=gray)


def symbols_to_latents(
    symbols: Symbols, inference: Inference, *, window_pixels: int = WINDOW_PIXELS
) -> Floats:
    """Symbols to decoded latents (M, h, w).

    Where the symbols are a part of a picture's, latents within MEAN_HALO of its cut edges are not exact.
    """
    y_hat = np.empty(symbols.y.shape, np.float32)
    for window in _mean_windows(y_hat.shape[1:], window_pixels):
        y_hat[:, *window.core] = _decoded_latents(symbols, inference, window)
    return y_hat


def latents_to_picture(
    y_hat: Floats,
    inference: Inference,
    size: tuple[int, int],
    dtype: PixelType,
    *,
    gray: bool = False,
    window_pixels: int = WINDOW_PIXELS,
) -> NDArray[Any]:
    """Decoded latents (M, h, w) to pixels (height, width, 3) of `dtype`, at most 16 h × 16 w.

    Where the latents are a part of a picture's, pixels within the synthesis halo of its cut edges are not
    exact.
    """
    windows = _synthesis_windows(y_hat.shape[1:], inference, window_pixels)
    parts = ((window, y_hat[:, *window.outer]) for window in windows)
    return _synthesised(parts, inference, np.empty((*size, 3), dtype), gray=gray)


def _denoiser_windows(
    coded: tuple[int, int], inference: Inference, strength: float, window_pixels: int
) -> Iterator[Window]:
    halo = inference.denoiser_halo if strength else 0
    return cover(*coded, align=HYPER_STRIDE, halo=halo, budget=window_pixels)


def _analysis_windows(coded: tuple[int, int], inference: Inference, window_pixels: int) -> Iterator[Window]:
    return cover(*coded, align=HYPER_STRIDE, halo=inference.analysis_halo, budget=window_pixels)


def _hyper_windows(sites: tuple[int, int], window_pixels: int) -> Iterator[Window]:
    budget = window_pixels // LATENT_STRIDE**2
    return cover(*sites, align=_SITES, halo=HYPER_HALO, budget=budget)


def _mean_windows(sites: tuple[int, ...], window_pixels: int) -> Iterator[Window]:
    height, width = sites
    budget = window_pixels // LATENT_STRIDE**2
    return cover(height, width, align=_SITES, halo=MEAN_HALO, budget=budget)


def _synthesis_windows(sites: tuple[int, ...], inference: Inference, window_pixels: int) -> Iterator[Window]:
    height, width = sites
    budget = window_pixels // LATENT_STRIDE**2
    return cover(height, width, align=_SITES, halo=inference.synthesis_halo, budget=budget)


def _decoded_latents(symbols: Symbols, inference: Inference, window: Window) -> Floats:
    """Decoded latents of a window's core, (M, h, w)."""
    z = symbols.z[:, *_coarser(window.outer)]
    return inference.reconstruct_latents(symbols.y[:, *window.outer], z)[:, *window.inner()]


def _synthesised(
    parts: Iterable[tuple[Window, Floats]], inference: Inference, pixels: NDArray[Any], *, gray: bool
) -> NDArray[Any]:
    """Fill pixels (height, width, 3) from windows and the decoded latents of their outer ranges."""
    for window, y_hat in parts:
        rows, columns = (slice(s.start * LATENT_STRIDE, s.stop * LATENT_STRIDE) for s in window.core)
        target = pixels[rows, columns]
        picture = inference.picture(y_hat, pixels.dtype.type, gray=gray)
        target[:] = picture[window.inner(LATENT_STRIDE)][: target.shape[0], : target.shape[1]]
    return pixels


def _coarser(place: tuple[slice, slice]) -> tuple[slice, slice]:
    """A place in latent sites as one in hyperlatent sites."""
    rows, columns = place
    return (
        slice(rows.start // _SITES, rows.stop // _SITES),
        slice(columns.start // _SITES, columns.stop // _SITES),
    )
