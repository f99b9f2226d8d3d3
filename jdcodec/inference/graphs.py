"""The networks of `jdcodec.model` as OpenVINO graphs, built from the arrays of a weights file.

Block by block the same arithmetic as the torch modules of the same names; a test holds the two together.
Tensors are (1, channels, height, width). A graph's shapes are fixed, since only then are element-wise
operations fused. Networks are meant to be compiled in bf16 where the processor has it; what of the linear
block transforms has to be in float32 is in graphs of its own, to be compiled so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jdcodec.inference.interface import latent_gain
from jdcodec.inference.quiet import ops, ov
from jdcodec.model.config import LATENT_STEP, LATENT_STRIDE, PRECISE_ROWS, ModelConfig

#: Nodes of a graph, and graphs.
Node = Any
Model = Any

#: What pixels are in integers, by type; floats are from 0 to 1 already.
_LARGEST = {np.uint8: 255.0, np.uint16: 65535.0}


class Graphs:
    """Graphs of a network at position t of the quality scale, for inputs of given sizes.

    units: how many units of symbols there are to a quantisation step.
    """

    def __init__(
        self, config: ModelConfig, network: Mapping[str, NDArray[Any]], t: float, units: int = 1
    ) -> None:
        self._config = config
        self._network = network
        self._t = t
        self._units = units

    def denoiser(self, height: int, width: int, dtype: Any) -> Model:
        """Pixels (1, H, W, 3) of `dtype` and strength (1,) to the denoised picture (1, 3, H, W) float16."""
        pixels = ops.parameter([1, height, width, 3], dtype)
        strength = ops.parameter([1, 1, 1, 1], np.float32)
        planes = ops.transpose(ops.convert(pixels, np.float32), ops.constant(np.array([0, 3, 1, 2])))
        x = ops.multiply(planes, _constant(1.0 / _LARGEST[dtype]))
        blocks = self._config.stem_blocks
        quarter = self._stack(
            self._conv(_centred(x), "denoiser.to_quarter"), "denoiser.quarter_in", blocks[0]
        )
        eighth = self._stack(self._conv(quarter, "denoiser.to_eighth"), "denoiser.eighth", blocks[1])
        joined = ops.add(quarter, self._up(eighth, "denoiser.from_eighth", 2))
        noise = self._up(self._stack(joined, "denoiser.quarter_out", blocks[0]), "denoiser.to_noise", 4)
        clean = ops.subtract(x, ops.multiply(noise, strength))
        return ov.Model([ops.convert(clean, np.float16)], [pixels, strength])

    def analysis(self, height: int, width: int) -> Model:
        """Denoised picture (1, 3, H, W) float16 to latents (1, M, H/16, W/16) float32.

        The linear part of the first PRECISE_ROWS of them is missing: that is `linear_analysis`.
        """
        config = self._config
        picture = ops.parameter([1, 3, height, width], np.float16)
        centred = _centred(ops.convert(picture, np.float32))
        h = self._conv(centred, "analysis.entry")
        for index, (_, blocks) in enumerate(config.analysis_stages):
            h = self._modulated(h, f"analysis.modulations.{index}")
            h = self._stack(h, f"analysis.stages.{index}", blocks)
            if index < len(config.analysis_stages) - 1:
                h = self._conv(h, f"analysis.downs.{index}")
        matrix = self._linear_analysis()
        matrix[:PRECISE_ROWS] = 0.0
        linear = _convolution(centred, matrix, LATENT_STRIDE)
        return ov.Model([ops.add(linear, self._conv(h, "analysis.head"))], [picture])

    def linear_analysis(self, height: int, width: int) -> Model:
        """Denoised picture (1, 3, H, W) float16 to the linear part of its first PRECISE_ROWS latents."""
        picture = ops.parameter([1, 3, height, width], np.float16)
        centred = _centred(ops.convert(picture, np.float32))
        return ov.Model(
            [_convolution(centred, self._linear_analysis()[:PRECISE_ROWS], LATENT_STRIDE)], [picture]
        )

    def _linear_analysis(self) -> NDArray[np.float32]:
        """The linear block transform, (M, 3, 16, 16)."""
        matrix = self._array("analysis.linear") / np.float32(LATENT_STEP)
        return matrix.reshape(-1, 3, LATENT_STRIDE, LATENT_STRIDE)

    def hyper_analysis(self, height: int, width: int) -> Model:
        """Latents (1, M, H, W) to hyperlatents (1, N, H/4, W/4)."""
        y = ops.parameter([1, self._config.latent_channels, height, width], np.float32)
        name = "entropy.hyper_analysis"
        h = self._modulated(self._conv(y, "entropy.hyper_in"), "entropy.hyper_modulation")
        h = self._conv(self._block(h, f"{name}.0"), f"{name}.1")
        return ov.Model([self._conv(self._block(h, f"{name}.2"), f"{name}.3")], [y])

    def anchor_means(self, height: int, width: int) -> Model:
        """Hyperlatents (1, N, H/4, W/4) int8 to means (1, M, H, W) that hold at the anchors."""
        z = self._hyperlatents(height, width)
        return ov.Model([self._conv(self._features(z), "entropy.anchor_mean")], [z])

    def other_means(self, height: int, width: int) -> Model:
        """Symbols (1, M, H, W) int16 and hyperlatents int8 to means that hold at the other sites."""
        z, symbols = self._hyperlatents(height, width), self._symbols(height, width)
        return ov.Model([self._means(z, symbols, height, width)[1]], [symbols, z])

    def decoded_latents(self, height: int, width: int) -> Model:
        """Symbols (1, M, H, W) int16 and hyperlatents int8 to decoded latents float32."""
        z, symbols = self._hyperlatents(height, width), self._symbols(height, width)
        y_anchors, mean = self._means(z, symbols, height, width)
        y_others = ops.multiply(self._shifted(mean, symbols), _constant(_odd_sites(height, width)[None]))
        return ov.Model([ops.add(y_anchors, y_others)], [symbols, z])

    def _means(self, z: Node, symbols: Node, height: int, width: int) -> tuple[Node, Node]:
        """Decoded latents of the anchors, 0 elsewhere, and the means of the others."""
        features = self._features(z)
        anchors = _constant(1 - _odd_sites(height, width)[None])
        mean = self._conv(features, "entropy.anchor_mean")
        y_anchors = ops.multiply(self._shifted(mean, symbols), anchors)
        return y_anchors, self._mean_of_others(features, y_anchors)

    def _shifted(self, mean: Node, symbols: Node) -> Node:
        """Latents that have these means and symbols."""
        step = _constant(1.0 / (self._units * latent_gain(self._network, self._t)[:, None, None]))
        return ops.add(ops.multiply(ops.convert(symbols, np.float32), step), mean)

    def _symbols(self, height: int, width: int) -> Node:
        return ops.parameter(self._latent_sites(height, width), np.int16)

    def _latent_sites(self, height: int, width: int) -> list[int]:
        return [1, self._config.latent_channels, height, width]

    def _hyperlatents(self, height: int, width: int) -> Node:
        return ops.parameter([1, self._config.hyper_channels, height // 4, width // 4], np.int8)

    def _features(self, z: Node) -> Node:
        """What both passes know of the hyperlatents: (1, width, H, W)."""
        name = "entropy.hyper_synthesis"
        h = self._block(self._up(ops.convert(z, np.float32), f"{name}.0", 2), f"{name}.1")
        return self._block(self._up(h, f"{name}.2", 2), f"{name}.3")

    def _mean_of_others(self, features: Node, y_anchors: Node) -> Node:
        context = self._conv(self._depthwise(y_anchors, "entropy.context_spread"), "entropy.context_mix")
        h = self._modulated(ops.add(features, context), "entropy.context_modulation")
        return self._conv(self._block(h, "entropy.context_block.0"), "entropy.context_mean")

    def synthesis(self, height: int, width: int) -> Model:
        """Latents (1, M, H, W) to what the network adds to their linear picture, (1, 3, 16 H, 16 W)."""
        config = self._config
        y = ops.parameter([1, config.latent_channels, height, width], np.float32)
        stages = config.synthesis_stages[::-1]
        remaining = LATENT_STRIDE // (config.synthesis_patch * 2 ** (len(stages) - 1))
        h = self._up(y, "synthesis.entry", remaining)
        for index, (_, blocks) in enumerate(stages):
            h = self._modulated(h, f"synthesis.modulations.{index}")
            h = self._stack(h, f"synthesis.stages.{index}", blocks)
            if index < len(stages) - 1:
                h = self._up(h, f"synthesis.ups.{index}", 2)
        return ov.Model([self._up(h, "synthesis.head", config.synthesis_patch)], [y])

    def linear_synthesis(self, height: int, width: int, dtype: Any, gray: bool) -> Model:
        """Latents and what `synthesis` adds, to pixels (1, 16 H, 16 W, 3) of `dtype`."""
        y = ops.parameter([1, self._config.latent_channels, height, width], np.float32)
        added = ops.parameter([1, 3, height * LATENT_STRIDE, width * LATENT_STRIDE], np.float32)
        matrix = self._array("synthesis.linear")[:, :, None, None] * LATENT_STEP
        linear = _shuffled(_convolution(y, matrix, 1), LATENT_STRIDE)
        x = ops.add(ops.add(linear, added), _constant(0.5))
        if gray:
            mean = ops.reduce_mean(ops.clamp(x, 0.0, 1.0), ops.constant(np.array([1])), True)
            x = ops.concat([mean, mean, mean], 1)
        if dtype in _LARGEST:
            largest = _LARGEST[dtype]
            x = ops.add(ops.multiply(x, _constant(largest)), _constant(0.5))
            # Through int32: float32 to uint16 is not among the conversions of every processor.
            x = ops.floor(ops.clamp(x, 0.0, largest))
            x = ops.convert(x, dtype if dtype is np.uint8 else np.int32)
        else:
            x = ops.clamp(x, 0.0, 1.0)
        return ov.Model([ops.transpose(x, ops.constant(np.array([0, 2, 3, 1])))], [y, added])

    def _array(self, name: str) -> NDArray[np.float32]:
        return self._network[name].astype(np.float32)

    def _conv(self, x: Node, name: str) -> Node:
        """A convolution whose kernel is as large as its stride."""
        weight = self._array(f"{name}.weight")
        return ops.add(_convolution(x, weight, weight.shape[2]), self._bias(name))

    def _bias(self, name: str) -> Node:
        return _constant(self._array(f"{name}.bias")[:, None, None])

    def _depthwise(self, x: Node, name: str) -> Node:
        weight = self._array(f"{name}.weight")
        pad = [weight.shape[2] // 2] * 2
        spread = ops.group_convolution(x, _constant(weight[:, None]), [1, 1], pad, pad, [1, 1])
        return ops.add(spread, self._bias(name))

    def _up(self, x: Node, name: str, factor: int) -> Node:
        return _shuffled(self._conv(x, f"{name}.mix"), factor)

    def _stack(self, x: Node, name: str, count: int) -> Node:
        for index in range(count):
            x = self._block(x, f"{name}.{index}")
        return x

    def _block(self, x: Node, name: str) -> Node:
        h = ops.prelu(self._conv(x, f"{name}.mix_in"), _constant([0.1]))
        x = ops.add(x, self._conv(self._depthwise(h, f"{name}.spatial"), f"{name}.mix_out"))
        weight, bias = (self._array(f"{name}.gate_in.{part}") for part in ("weight", "bias"))
        half = len(bias) // 2
        value = ops.add(_convolution(x, weight[:half], 1), _constant(bias[:half, None, None]))
        # hardsigmoid(g) = clamp(g / 6 + 1/2, 0, 1): the affine part is in the convolution, the rest is fused.
        gate = ops.add(
            _convolution(x, weight[half:] / 6.0, 1), _constant(bias[half:, None, None] / 6.0 + 0.5)
        )
        gated = ops.multiply(value, ops.clamp(gate, 0.0, 1.0))
        return ops.add(x, self._conv(gated, f"{name}.gate_out"))

    def _modulated(self, x: Node, name: str) -> Node:
        centred = 2.0 * self._t - 1.0
        gain, bias = np.split(np.array([centred, centred**2], np.float32) @ self._array(f"{name}.weight"), 2)
        return ops.add(ops.multiply(x, _constant(1.0 + gain[:, None, None])), _constant(bias[:, None, None]))


def _odd_sites(height: int, width: int) -> NDArray[Any]:
    """(height, width): 1 where row + column is odd, else 0."""
    return np.add.outer(np.arange(height), np.arange(width)) % 2


def _constant(values: Any) -> Node:
    """float32; a number or (C, 1, 1) array is given the axes that it is broadcast over."""
    array = np.asarray(values, np.float32)
    if array.ndim in (0, 3):
        array = array.reshape((1,) * (4 - array.ndim) + array.shape)
    return ops.constant(np.ascontiguousarray(array))


def _centred(x: Node) -> Node:
    return ops.subtract(x, _constant(0.5))


def _convolution(x: Node, weight: NDArray[np.float32], stride: int) -> Node:
    return ops.convolution(x, _constant(weight), [stride] * 2, [0, 0], [0, 0], [1, 1])


def _shuffled(x: Node, factor: int) -> Node:
    return ops.depth_to_space(x, "depth_first", factor) if factor > 1 else x
