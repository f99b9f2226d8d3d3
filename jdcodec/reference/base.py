"""What all systems share: the calls, padding to what a network's strides ask for, and bytes."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from jdcodec.errors import DamagedError, ModelError

from .output import Output
from .parts import Part
from .payload import pack, unpack


class ReferenceModel(nn.Module):
    """A system of a paper.

    Pictures are (B, channels, H, W) in [0, 1], of any size: inside they are continued to multiples of
    `multiple` with their last pixels, and the reconstruction is cut back. In training mode rates see
    additive uniform noise; in evaluation mode latents are rounded, and `forward` returns what `compress`
    and `decompress` would, within the noise of floating point.

    Probabilities come from floating-point networks, so bytes must be decoded with the same weights on the
    kind of device that wrote them.
    """

    channels: int = 3
    multiple: int = 1
    #: How many strings `_encode` returns.
    string_count: int = 1

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        """Pass over a batch. `clean`, the clean pictures, is used by the guided systems only."""
        raise NotImplementedError

    def parts(self) -> tuple[Part, ...]:
        """The network as a chain, picture to reconstruction."""
        raise NotImplementedError

    def _encode(self, x: Tensor) -> Sequence[bytes]:
        """Padded picture (1, C, H, W) to strings."""
        raise NotImplementedError

    def _decode(self, strings: Sequence[bytes], height: int, width: int) -> Tensor:
        """Inverse of `_encode`: a padded picture of this size."""
        raise NotImplementedError

    @torch.no_grad()
    def compress(self, x: Tensor) -> bytes:
        """Bytes of one picture, (1, C, H, W) in [0, 1]; raises ModelError, LimitError."""
        self._check(x)
        if x.shape[0] != 1:
            raise ModelError(f"one picture at a time can be compressed, not {x.shape[0]}")
        with self._evaluation():
            return pack(x.shape[2], x.shape[3], self._encode(self.padded(x)))

    @torch.no_grad()
    def decompress(self, data: bytes) -> Tensor:
        """Picture (1, C, H, W) from the bytes of `compress`; raises FormatError, DamagedError, LimitError."""
        height, width, strings = unpack(data, self.string_count)
        with self._evaluation():
            picture = self._decode(strings, self._rounded_up(height), self._rounded_up(width))
        return picture[:, :, :height, :width]

    def padded(self, x: Tensor) -> Tensor:
        """The pictures, continued at the right and the bottom to multiples of `multiple`, channel by channel.

        Laid out pixel by pixel, as pictures come from files, they make torch 2.13 write beyond its memory on
        CPUs in the gradients of the guided systems.
        """
        x = x.contiguous()
        bottom = self._rounded_up(x.shape[2]) - x.shape[2]
        right = self._rounded_up(x.shape[3]) - x.shape[3]
        return F.pad(x, (0, right, 0, bottom), mode="replicate") if bottom or right else x

    def _rounded_up(self, side: int) -> int:
        return -(-side // self.multiple) * self.multiple

    def _check(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.channels or 0 in x.shape:
            raise ModelError(f"expected pictures (B, {self.channels}, H, W), not {tuple(x.shape)}")

    @contextmanager
    def _evaluation(self) -> Iterator[None]:
        """Evaluation mode within, the mode before afterwards."""
        training = self.training
        self.eval()
        try:
            yield
        finally:
            self.train(training)


def straight_through_round(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (x.round() - x).detach()


class Denoiser(ReferenceModel):
    """A system without a bitstream. `denoise` is all it does; there are no likelihoods.

    `compress` stores the denoised picture at 8 bits and without loss, so that every system can be called
    alike; its size says nothing.
    """

    #: Pixels beyond a window, whose corner is at a multiple of 16, that can change what comes out of it.
    reach: int

    def denoise(self, x: Tensor) -> Tensor:
        """Padded noisy pictures to clean ones, same shape."""
        raise NotImplementedError

    def colour(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) denoised; a system of one channel takes the three one by one."""
        if self.channels == 3:
            return self(x).reconstruction  # type: ignore[no-any-return]
        channels: Tensor = self(x.flatten(0, 1)[:, None]).reconstruction
        return channels.reshape(x.shape)

    def forward(self, x: Tensor, clean: Tensor | None = None) -> Output:
        self._check(x)
        denoised = self.denoise(self.padded(x))[:, :, : x.shape[2], : x.shape[3]]
        return Output(denoised, {})

    def parts(self) -> tuple[Part, ...]:
        return (Part("denoiser", "encoder", (self,), self.denoise),)

    def _encode(self, x: Tensor) -> Sequence[bytes]:
        levels = (self.denoise(x).clamp(0, 1) * 255).round().to(torch.uint8)
        return [zlib.compress(levels.cpu().numpy().tobytes())]

    def _decode(self, strings: Sequence[bytes], height: int, width: int) -> Tensor:
        shape = (1, self.channels, height, width)
        levels = bytearray(_inflate(strings[0], math.prod(shape)))
        return torch.frombuffer(levels, dtype=torch.uint8).reshape(shape).float() / 255


def _inflate(data: bytes, size: int) -> bytes:
    """`size` bytes out of a zlib stream that holds just as many; raises DamagedError."""
    stream = zlib.decompressobj()
    try:
        out = stream.decompress(data, size)
    except zlib.error as error:
        raise DamagedError(f"the coded picture is damaged: {error}") from error
    if len(out) != size or stream.decompress(stream.unconsumed_tail, 1) or not stream.eof:
        raise DamagedError("the coded picture's samples do not fit its size")
    return out
