"""The decoder's network a second time, in numpy, written from `docs/format.md` alone."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

Array = NDArray[np.float64]


class ReferenceNetwork:
    """The chapters 'From symbols to pixels' and 'Networks'. Arrays are (channels, rows, columns)."""

    def __init__(self, path: str, quality_code: int) -> None:
        with safe_open(path, framework="numpy") as file:
            self.config: dict[str, Any] = json.loads(file.metadata()["config"])
            names = [name for name in file.keys() if name.startswith("network/")]  # noqa: SIM118
            self.parameters = {n.removeprefix("network/"): file.get_tensor(n).astype(float) for n in names}
            #: U, how many units of y there are to a quantisation step.
            self.units = 1
            if "tables/trellis" in file.keys() and file.get_tensor("tables/trellis")[0] < 64:  # noqa: SIM118
                self.units = 3
        self.t = quality_code / 224

    def decode(self, z: NDArray[Any], y: NDArray[Any]) -> Array:
        """Symbols to a picture in 0 … 1."""
        features = self.hyper_synthesis(z.astype(float))
        offset = y / (self.units * self.gain()[:, None, None])
        rows, columns = np.mgrid[0 : y.shape[1], 0 : y.shape[2]]
        anchor = (rows + columns) % 2 == 0
        at_anchors = np.where(anchor, self.convolution("entropy.anchor_mean", features) + offset, 0)
        h = self.depthwise("entropy.context_spread", at_anchors)
        h = self.convolution("entropy.context_mix", h) + features
        h = self.block("entropy.context_block.0", self.modulation("entropy.context_modulation", h))
        elsewhere = self.convolution("entropy.context_mean", h) + offset
        return self.synthesis(np.where(anchor, at_anchors, elsewhere)).clip(0, 1)

    def gain(self) -> Array:
        offset, slope, bend = (self.parameters[f"gain.{name}"] for name in ("offset", "slope", "bend"))
        curve = self.t + np.tanh(bend) * self.t * (1 - self.t)
        return np.exp(offset + np.log1p(np.exp(slope)) * curve)

    def hyper_synthesis(self, z: Array) -> Array:
        h = self.block("entropy.hyper_synthesis.1", self.up("entropy.hyper_synthesis.0", z, 2))
        return self.block("entropy.hyper_synthesis.3", self.up("entropy.hyper_synthesis.2", h, 2))

    def synthesis(self, y_hat: Array) -> Array:
        blocks = 0.175 * np.tensordot(self.parameters["synthesis.linear"], y_hat, 1)
        patch, stages = self.config["synthesis_patch"], self.config["synthesis_stages"][::-1]
        h = self.up("synthesis.entry", y_hat, 16 // (patch * 2 ** (len(stages) - 1)))
        for k, (_, count) in enumerate(stages):
            h = self.modulation(f"synthesis.modulations.{k}", h)
            for number in range(count):
                h = self.block(f"synthesis.stages.{k}.{number}", h)
            if k < len(stages) - 1:
                h = self.up(f"synthesis.ups.{k}", h, 2)
        return 0.5 + shuffle(blocks, 16) + self.up("synthesis.head", h, patch)

    def convolution(self, name: str, x: Array) -> Array:
        weight = self.parameters[f"{name}.weight"][:, :, 0, 0]
        return np.tensordot(weight, x, 1) + self.parameters[f"{name}.bias"][:, None, None]

    def depthwise(self, name: str, x: Array) -> Array:
        weight = self.parameters[f"{name}.weight"][:, 0]
        reach = weight.shape[1] // 2
        padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
        rows, columns = x.shape[1:]
        out = np.zeros_like(x) + self.parameters[f"{name}.bias"][:, None, None]
        for i, j in np.ndindex(*weight.shape[1:]):
            out += weight[:, i, j, None, None] * padded[:, i : i + rows, j : j + columns]
        return out

    def up(self, name: str, x: Array, factor: int) -> Array:
        return shuffle(self.convolution(f"{name}.mix", x), factor)

    def block(self, name: str, x: Array) -> Array:
        h = self.convolution(f"{name}.mix_in", x)
        h = self.depthwise(f"{name}.spatial", np.maximum(h, 0.1 * h))
        x = x + self.convolution(f"{name}.mix_out", h)
        p, g = np.split(self.convolution(f"{name}.gate_in", x), 2)
        return x + self.convolution(f"{name}.gate_out", p * (g / 6 + 0.5).clip(0, 1))

    def modulation(self, name: str, x: Array) -> Array:
        weight, u = self.parameters[f"{name}.weight"], 2 * self.t - 1
        a, b = np.split(u * weight[0] + u**2 * weight[1], 2)
        return x * (1 + a[:, None, None]) + b[:, None, None]


def shuffle(x: Array, factor: int) -> Array:
    """Channel f²c + f i + j becomes row f r + i, column f q + j of channel c."""
    channels, rows, columns = x.shape[0] // factor**2, x.shape[1], x.shape[2]
    apart = x.reshape(channels, factor, factor, rows, columns)
    return apart.transpose(0, 3, 1, 4, 2).reshape(channels, factor * rows, factor * columns)
