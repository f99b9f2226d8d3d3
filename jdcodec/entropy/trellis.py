"""Dependent quantisation: two interleaved quantisers, and a state machine that says which one is next.

A scalar quantiser in each of many dimensions fills space with cubes. Here the choice of a symbol decides, by
its parity, from which of two quantisers the next one is taken; the union of both is finer than either, so the
points that can be reached lie more densely than their rate tells, and an encoder that looks ahead finds near
ones (`jdcodec.codec.quantise`). A decoder follows the states. The idea is trellis-coded quantisation
(Marcellin & Fischer, IEEE Trans. Commun. 1990) in the form that Schwarz et al. gave it for video (Hybrid
video codec with dependent quantization, DCC 2019), with eight states.

Points are counted in units of a third of a scalar step:

    index k     …  −2  −1   0   1   2  …
    quantiser 0 …  −8  −4   0   4   8  …     4 k
    quantiser 1 …  −6  −2   0   2   6  …     4 k − 2 sign(k)

Symbols of low scale are nearly all zero, and gain nothing by it: they are scalar, 3 k.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Units of a scalar quantisation step.
UNITS = 3

#: States; state s takes its symbols from quantiser s mod 2.
STATES = 8

#: State that follows state s after an index of even parity and after one of odd parity.
NEXT = np.array([(0, 2), (5, 7), (1, 3), (6, 4), (2, 0), (4, 6), (3, 1), (7, 5)], np.uint8)

#: By 4 · state + parity as of quantiser 0 + 2 · parity as of quantiser 1: the state that follows.
_FOLLOWING = np.array([NEXT[s, (p >> (s & 1)) & 1] for s in range(STATES) for p in range(4)], np.uint8)

#: Symbols that follow each other in one lane at most. All lanes of a tile start at state 0 and advance
#: together, so that a step is a few calls for many symbols. The longer a lane, the less its start costs.
LANE_LENGTH = 256


def lane_count(symbols: int) -> int:
    """Lanes that so many symbols are spread over: symbol i belongs to lane i mod lanes."""
    return max(1, -(-symbols // LANE_LENGTH))


def steps(symbols: int) -> Iterator[slice]:
    """Which symbols each step takes, one of each lane; the last step may lack some lanes."""
    lanes = lane_count(symbols)
    for start in range(0, symbols, lanes):
        yield slice(start, min(start + lanes, symbols))


def advance(states: NDArray[np.uint8], indices: NDArray[np.signedinteger[Any]]) -> NDArray[np.uint8]:
    """States that follow after the indices."""
    following: NDArray[np.uint8] = NEXT.ravel()[2 * states + (indices & 1)]
    return following


def points(indices: NDArray[np.signedinteger[Any]], quantisers: NDArray[np.uint8]) -> NDArray[np.int32]:
    """What indices stand for, in units."""
    found: NDArray[np.int32] = 4 * indices.astype(np.int32) - 2 * np.sign(indices) * quantisers
    return found


def indices_of(
    values: NDArray[np.signedinteger[Any]],
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """(indices, quantisers) of the points (n,) of a tile, in the order of its lanes.

    Raises ValueError where a point is none of the quantiser that it has to be of.
    """
    found = values.astype(np.int32)
    moved = found + 2 * np.sign(found)  # four times the indices, were all of quantiser 1
    parities = ((found >> 2) & 1 | (moved >> 1) & 2).astype(np.uint8)
    quantisers = np.empty(len(found), np.uint8)
    state = np.zeros(lane_count(len(found)), np.uint8)
    for step in steps(len(found)):
        state = state[: step.stop - step.start]
        quantisers[step] = state
        state = _FOLLOWING[4 * state + parities[step]]
    quantisers &= 1
    moved = np.where(quantisers, moved, found)
    if np.any(moved & 3):
        raise ValueError("a latent is no point of its quantiser")
    return moved >> 2, quantisers
