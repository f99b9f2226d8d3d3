"""Multiply–accumulates and memory of a chain of parts, counted without computing anything.

The chain runs on fake tensors, which have shapes and no values. Products are counted by the
formulas of `torch.utils.flop_counter`, two operations to a multiply–accumulate. What those leave out is
counted beside them: an addition for each value that a bias is added to, and an operation for each value
that an element-wise operation returns (GDN's square, root and product; activations; residual sums) or that
a reduction or pooling reads. Copies, casts, shuffles and padding count as nothing.

Networks have borders, and reparametrise weights once a picture. The cost of a pixel is therefore the mixed
difference over pictures of two heights and two widths, in which what depends on one side, or none, cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any
from weakref import ref

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from jdcodec.reference.parts import Part

_aten = torch.ops.aten

#: Element-wise operations that compute nothing, and one that torch does not mark as element-wise.
_COPIES = {_aten.clone, _aten.copy_, _aten._to_copy, _aten.fill_, _aten.zero_}
_UNMARKED = {_aten._prelu_kernel}
#: One operation for each value read.
_REDUCTIONS = {
    *(_aten.sum, _aten.mean, _aten.amax, _aten.max, _aten.min),
    *(_aten.max_pool2d_with_indices, _aten.avg_pool2d),
}
#: Where the arguments of a product hold its weight and its bias.
_CONVOLUTIONS = {_aten.convolution, _aten._convolution}

#: Sides of the pictures that pixels' costs are counted on, and of the one for memory.
_SIDES = (256, 512)
_MEMORY_SIDE = 1024


@dataclass(frozen=True)
class Macs:
    """Multiply–accumulates, or operations in the place of one.

    convolutions: those of layers. other_products: 1×1 and matrix products with weights that are computed
    first, as in GDN and in block transforms. element_wise: biases, element-wise operations and reductions.
    """

    convolutions: float = 0.0
    other_products: float = 0.0
    element_wise: float = 0.0

    @property
    def total(self) -> float:
        """All of them."""
        return self.convolutions + self.other_products + self.element_wise

    def __add__(self, other: Macs) -> Macs:
        return Macs(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def scaled(self, factor: float) -> Macs:
        """Each times a factor."""
        return Macs(*(factor * getattr(self, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Cost:
    """What a part costs for each pixel of the picture: operations, and bytes of float32 activations.

    Bytes are the most that tensors alive at once take, the part's input included and weights not, on a
    picture of 1024 × 1024.
    """

    macs: Macs
    activation_bytes: float


def count_parts(parts: Sequence[Part], channels: int = 3) -> list[Cost]:
    """Cost of each part of a network, for pictures of `channels` channels. Nothing is computed."""
    low, high = _SIDES
    with FakeTensorMode(allow_non_fake_inputs=True):
        corners = {
            (height, width): [ledger.macs() for ledger in _run(parts, channels, height, width)]
            for height in _SIDES
            for width in _SIDES
        }
        memory = _run(parts, channels, _MEMORY_SIDE, _MEMORY_SIDE)
    costs = []
    for index in range(len(parts)):
        mixed = (
            corners[high, high][index]
            + corners[low, low][index]
            + corners[high, low][index].scaled(-1)
            + corners[low, high][index].scaled(-1)
        )
        bytes_a_pixel = memory[index].peak_bytes / _MEMORY_SIDE**2
        costs.append(Cost(mixed.scaled((high - low) ** -2), bytes_a_pixel))
    return costs


@torch.no_grad()
def _run(parts: Sequence[Part], channels: int, height: int, width: int) -> list[Ledger]:
    """Every part once, each with a ledger of its own."""
    ledgers = []
    state: Any = torch.empty(1, channels, height, width)
    for part in parts:
        ledger = Ledger(state)
        with ledger:
            state = part.run(state)
        ledgers.append(ledger)
    return ledgers


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every operation that torch runs while it is active, and the memory of fake tensors."""

    def __init__(self, inputs: Any = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.convolutions = self.other_products = self.element_wise = 0
        self.live_bytes = self.peak_bytes = 0
        self._live: dict[int, ref[Any]] = {}
        self._note_memory(inputs)

    def macs(self) -> Macs:
        """What was written down so far."""
        return Macs(self.convolutions, self.other_products, self.element_wise)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operation = func.overloadpacket
        if operation not in flop_registry and func.namespace == "aten":
            # As torch's own counter does: some operations are made of others that have a formula.
            with self:
                composed = func.decompose(*args, **kwargs)
                if composed is not NotImplemented:
                    return composed
        out = func(*args, **kwargs)
        if operation in flop_registry:
            self._note_product(operation, args, kwargs, out)
        elif operation in _REDUCTIONS:
            self.element_wise += args[0].numel()
        elif operation in _UNMARKED or (torch.Tag.pointwise in func.tags and operation not in _COPIES):
            self.element_wise += out.numel()
        self._note_memory(out)
        return out

    def _note_product(self, operation: Any, args: Any, kwargs: Any, out: Tensor) -> None:
        macs = flop_registry[operation](*args, **kwargs, out_val=out) // 2
        convolution = operation in _CONVOLUTIONS
        if convolution and (isinstance(args[1], nn.Parameter) or args[1].shape[-1] > 1):
            self.convolutions += macs
        else:
            self.other_products += macs
        if (convolution and args[2] is not None) or operation is _aten.addmm:
            self.element_wise += out.numel()

    def _note_memory(self, tensors: Any) -> None:
        for tensor in tree_leaves(tensors):
            if not isinstance(tensor, FakeTensor):
                continue
            storage = tensor.untyped_storage()
            key, size = id(storage), storage.nbytes()
            if key not in self._live:
                self._live[key] = ref(storage, partial(self._free, key, size))
                self.live_bytes += size
                self.peak_bytes = max(self.peak_bytes, self.live_bytes)

    def _free(self, key: int, size: int, storage: ref[Any]) -> None:
        self.live_bytes -= size
        del self._live[key]
