"""Coding with OpenVINO, which starts faster than torch and runs the networks faster on processors.

Each graph is compiled when first needed, for one size of input; those used last are kept. All cores work on
one call; calls from several threads take turns.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.inference.graphs import Graphs, Model
from jdcodec.inference.interface import (
    Call,
    Denoised,
    Floats,
    Inference,
    PixelType,
    latent_gain,
)
from jdcodec.inference.quiet import ov
from jdcodec.model.config import HYPER_STRIDE, LATENT_STRIDE, PRECISE_ROWS, ModelConfig
from jdcodec.threads import usable_cores

#: Compiled graphs kept at most, and the pixels that they cover in all: a photo takes about eight. Each holds
#: up to 80 bytes of memory for a pixel, and those for the windows of a large photo cover 22 million.
_KEPT, _KEPT_PIXELS = 48, 24_000_000

#: Pixels a side of what graphs take in; of all others those of a latent site.
_STRIDES = {"denoiser": 1, "analysis": 1, "linear_analysis": 1}

#: Graphs by the method that runs them, and whether they stay in float32.
_GRAPHS = {
    "denoise": (("denoiser", False),),
    "latents": (("analysis", False), ("linear_analysis", True)),
    "hyperlatents": (("hyper_analysis", False),),
    "anchor_means": (("anchor_means", False),),
    "other_means": (("other_means", False),),
    "reconstruct_latents": (("decoded_latents", False),),
    "picture": (("synthesis", False), ("linear_synthesis", True)),
}

#: How many of a method's arguments a graph depends on, where not on all.
_ARGUMENTS = {"synthesis": 2}

#: Graphs that are the same at every quality.
_OF_ALL_QUALITIES = ("denoiser", "linear_analysis", "anchor_means", "linear_synthesis")


@lru_cache(maxsize=1)
def core() -> Any:
    """OpenVINO itself, started once."""
    return ov.Core()


def has_fast_bf16() -> bool:
    """Whether the processor multiplies bf16 at more than fp32's speed: AVX-512 BF16, AMX and their like."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class Network:
    """A network from a weights file with its compiled graphs, kept warm between photos."""

    #: Graphs compiled so far by all networks: a call during which it rises was not a warm one.
    compilations = 0

    def __init__(
        self, config: ModelConfig, arrays: Mapping[str, NDArray[Any]], *, bf16: bool, units: int = 1
    ) -> None:
        self.config = config
        self.units = units
        self.arrays = arrays
        self._bf16 = bf16
        self._compiled: OrderedDict[Hashable, _Compiled] = OrderedDict()
        self._lock = threading.Lock()

    def compiled(self, key: Hashable, build: Callable[[], Model], *, pixels: int, precise: bool) -> _Compiled:
        """The graph of a key, built and compiled if it is not among the last ones used."""
        with self._lock:
            entry = self._compiled.pop(key, None) or _Compiled(pixels)
            self._compiled[key] = entry
            while len(self._compiled) > 1 and self._is_full():
                self._compiled.popitem(last=False)
        precision = "bf16" if self._bf16 and not precise else "f32"
        entry.compile(build, precision)
        return entry

    def _is_full(self) -> bool:
        kept = self._compiled.values()
        return len(kept) > _KEPT or sum(entry.pixels for entry in kept) > _KEPT_PIXELS


class _Compiled:
    """A graph for so many pixels, and the requests that run it, one for each thread that is at it."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self._lock = threading.Lock()
        self._model: Any = None
        self._idle: list[Any] = []

    def compile(self, build: Callable[[], Model], precision: str) -> None:
        with self._lock:
            if self._model is None:
                settings = {
                    "INFERENCE_PRECISION_HINT": precision,
                    "INFERENCE_NUM_THREADS": usable_cores(),
                    # Processes that leave cores to others would all bind their threads to the first ones.
                    "ENABLE_CPU_PINNING": usable_cores() == os.cpu_count(),
                    "NUM_STREAMS": 1,  # a second one would have its own memory and be no faster
                }
                self._model = core().compile_model(build(), "CPU", settings)
                Network.compilations += 1

    def __call__(self, *inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Outputs for inputs, all without the batch axis."""
        assert self._model is not None
        with self._lock:
            request = self._idle.pop() if self._idle else self._model.create_infer_request()
        outputs = [np.empty(tuple(port.shape), port.element_type.to_dtype()) for port in self._model.outputs]
        for index, output in enumerate(outputs):
            request.set_output_tensor(index, ov.Tensor(output, shared_memory=True))
        batches = [np.ascontiguousarray(array)[None] for array in inputs]
        request.infer(batches, share_inputs=True, share_outputs=True)
        with self._lock:
            self._idle.append(request)
        return [output[0] for output in outputs]


class OpenVinoInference(Inference):
    """`Inference` on the CPU."""

    def __init__(self, network: Network, t: float) -> None:
        super().__init__(network.config, latent_gain(network.arrays, t), network.units)
        self._network = network
        self._graphs = Graphs(network.config, network.arrays, t, network.units)
        self._t = t

    def prepare(self, calls: Iterable[Call]) -> None:
        pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="jdc-compile")
        for method, *arguments in calls:
            for kind, precise in _GRAPHS[method]:
                # Of `picture`, only the last step cares for the type of the pixels.
                pool.submit(self._graph, kind, *arguments[: _ARGUMENTS.get(kind)], precise=precise)
        pool.shutdown(wait=False)

    def denoise(self, pixels: NDArray[Any], strength: float) -> Denoised:
        if strength == 0:
            scaled = pixels.transpose(2, 0, 1) / np.float32(np.iinfo(pixels.dtype).max)
            return scaled.astype(np.float16)
        run = self._graph("denoiser", *pixels.shape[:2], pixels.dtype.type)
        clean: Denoised = run(pixels, np.full((1, 1, 1), strength, np.float32))[0]
        return clean

    def latents(self, picture: Denoised) -> Floats:
        size = picture.shape[1:]
        y: Floats = self._graph("analysis", *size)(picture)[0]
        y[:PRECISE_ROWS] += self._graph("linear_analysis", *size, precise=True)(picture)[0]
        return y

    def hyperlatents(self, y: Floats) -> Floats:
        z: Floats = self._graph("hyper_analysis", *y.shape[1:])(y)[0]
        return z

    def anchor_means(self, z: NDArray[np.int8]) -> Floats:
        means: Floats = self._graph("anchor_means", *_sites(z))(z)[0]
        return means

    def other_means(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        means: Floats = self._graph("other_means", *_sites(z))(symbols, z)[0]
        return means

    def reconstruct_latents(self, symbols: NDArray[np.int16], z: NDArray[np.int8]) -> Floats:
        y_hat: Floats = self._graph("decoded_latents", *symbols.shape[1:])(symbols, z)[0]
        return y_hat

    def picture(self, y_hat: Floats, dtype: PixelType, *, gray: bool = False) -> NDArray[Any]:
        size = y_hat.shape[1:]
        added = self._graph("synthesis", *size)(y_hat)[0]
        pixels = self._graph("linear_synthesis", *size, dtype, gray, precise=True)(y_hat, added)[0]
        return pixels.astype(dtype, copy=False)

    def _graph(self, kind: str, *arguments: Any, precise: bool = False) -> _Compiled:
        """A graph by the name of its method in `Graphs`; the first two arguments are its height and width."""
        key = (kind, None if kind in _OF_ALL_QUALITIES else self._t, *arguments)
        pixels = arguments[0] * arguments[1] * _STRIDES.get(kind, LATENT_STRIDE) ** 2
        return self._network.compiled(
            key, lambda: getattr(self._graphs, kind)(*arguments), pixels=pixels, precise=precise
        )


def _sites(z: NDArray[np.int8]) -> tuple[int, int]:
    """(height, width) of the latents of hyperlatents (N, h, w)."""
    sites = HYPER_STRIDE // LATENT_STRIDE
    return sites * z.shape[1], sites * z.shape[2]
