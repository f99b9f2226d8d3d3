"""Entropy tables are refused, with a reason, unless every shape, type, sum and bound holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from jdcodec.entropy import EntropyTables
from jdcodec.errors import ModelError

from .samples import make_tables

Arrays = dict[str, NDArray[Any]]

TABLES = make_tables(latent_channels=3, hyper_channels=4)
TRELLIS = make_tables(latent_channels=3, hyper_channels=4, trellis_level=14)


def changed(name: str, change: Callable[[NDArray[Any]], Any]) -> Callable[[Arrays], None]:
    """Put what `change` returns, or the array that it changed in place, under `name`."""

    def apply(arrays: Arrays) -> None:
        result = change(arrays[name])
        arrays[name] = arrays[name] if result is None else result

    return apply


def set_item(index: Any, value: int) -> Callable[[NDArray[Any]], None]:
    def apply(array: NDArray[Any]) -> None:
        array[index] = value

    return apply


def without_channels(arrays: Arrays) -> None:
    arrays["scale_weight"] = arrays["scale_weight"][:, :0]
    arrays["hyper_half_width"] = arrays["hyper_half_width"][:0]
    arrays["hyper_frequency"] = arrays["hyper_frequency"][:, :0]


def without_latents(arrays: Arrays) -> None:
    for name in ("scale_weight", "scale_multiplier", "scale_bias"):
        arrays[name] = arrays[name][:0]
    arrays["quality_offset"] = arrays["quality_offset"][:, :0]


def with_wide_hyperlatents(arrays: Arrays) -> None:
    """A half width of 128 codes values that int8 does not have."""
    half, wide = arrays["hyper_half_width"], 2 * 128 + 2
    arrays["hyper_frequency"] = np.concatenate(
        (np.full((8, wide), 2**24 // wide, np.int32), arrays["hyper_frequency"][:, 2 * half[0] + 2 :]), axis=1
    )
    arrays["hyper_frequency"][:, 0] += 2**24 - wide * (2**24 // wide)
    half[0] = 128


def with_a_large_scale_sum(arrays: Arrays) -> None:
    """|weights| of a row sum to 127 · 1041, and that times 127 is just above 2^24."""
    channels = 1041
    arrays["scale_weight"] = np.full((48, channels), 127, np.int8)
    arrays["hyper_half_width"] = np.zeros(channels, np.int32)
    arrays["hyper_frequency"] = np.full((8, 2 * channels), 2**23, np.int32)


def moved_between_tables(array: NDArray[Any]) -> None:
    """The total stays, but two neighbouring tables are off by one."""
    size = 2 * int(TABLES.latent_half_width[1]) + 2
    array[size - 1] -= 1
    array[size] += 1


BROKEN: dict[str, tuple[Callable[[Arrays], None], str]] = {
    "a table missing": (lambda arrays: arrays.__delitem__("scale_bias"), "lack .*scale_bias"),
    "weights as int16": (changed("scale_weight", lambda a: a.astype(np.int16)), "has type int16"),
    "frequencies as int64": (changed("latent_frequency", lambda a: a.astype(np.int64)), "has type int64"),
    "frequencies as floats": (changed("hyper_frequency", lambda a: a.astype(np.float32)), "type float32"),
    "bias as uint32": (changed("scale_bias", lambda a: a.astype(np.uint32)), "scale_bias has type uint32"),
    "weights flat": (changed("scale_weight", lambda a: a.ravel()), "scale_weight must have 2 axes"),
    "weights scalar": (changed("scale_weight", lambda a: np.array(3, np.int8)), "2 axes"),
    "weights with a row too many": (changed("scale_weight", lambda a: np.vstack((a, a[:1]))), "48 rows"),
    "multipliers too few": (changed("scale_multiplier", lambda a: a[:-1]), "48 rows"),
    "biases too many": (changed("scale_bias", lambda a: np.append(a, a[:1])), "48 rows"),
    "multipliers and biases both too few": (
        lambda arrays: arrays.update({n: arrays[n][:-1] for n in ("scale_multiplier", "scale_bias")}),
        "48 rows",
    ),
    "biases as a column": (changed("scale_bias", lambda a: a[:, None]), "48 rows"),
    "quality offsets for 7 anchors": (changed("quality_offset", lambda a: a[:7]), "8 rows"),
    "quality offsets flat": (changed("quality_offset", lambda a: a[:, 0]), "8 rows"),
    "quality offsets with 3 axes": (changed("quality_offset", lambda a: a[:, :, None]), "8 rows"),
    "quality offsets scalar": (changed("quality_offset", lambda a: np.array(1, np.int32)), "8 rows"),
    "no latent channels": (without_latents, "at least 1 channel"),
    "no hyperlatent channels": (without_channels, "at least 1 channel"),
    "a scale sum beyond float32": (with_a_large_scale_sum, "beyond exact float32"),
    "half widths for 63 levels": (changed("latent_half_width", lambda a: a[:-1]), "width must be 64"),
    "half widths with 2 axes": (changed("latent_half_width", lambda a: a[None]), "latent_half_width must be"),
    "a negative half width": (changed("latent_half_width", set_item(7, -1)), "latent_half_width must be"),
    "a huge half width": (changed("latent_half_width", set_item(7, 2**31 - 1)), "latent_half_width must be"),
    "hyper half widths too many": (changed("hyper_half_width", lambda a: np.append(a, a[:1])), "must be 4"),
    "a negative hyper half width": (changed("hyper_half_width", set_item(0, -1)), "hyper_half_width must be"),
    "hyperlatents beyond int8": (with_wide_hyperlatents, "0 to 127"),
    "latent tables cut short": (changed("latent_frequency", lambda a: a[:-1]), "latent_frequency must have"),
    "latent tables too long": (changed("latent_frequency", lambda a: np.append(a, a[:1])), "must have"),
    "latent tables with 2 axes": (changed("latent_frequency", lambda a: a[None]), "must have"),
    "hyper tables for 7 anchors": (changed("hyper_frequency", lambda a: a[:7]), "8 anchors"),
    "hyper tables flat": (changed("hyper_frequency", lambda a: a.ravel()), "8 anchors"),
    "hyper tables cut short": (changed("hyper_frequency", lambda a: a[:, :-1]), "hyper_frequency must have"),
    "a frequency of 0": (changed("latent_frequency", set_item(3, 0)), "latent_frequency has an entry"),
    "a negative frequency": (changed("hyper_frequency", set_item((2, 3), -5)), "has an entry below 1"),
    "a latent table that sums to more": (
        changed("latent_frequency", lambda a: a + (np.arange(a.size) == a.size - 1).astype(np.int32)),
        "latent table does not sum",
    ),
    "a hyper table of the last anchor that sums to more": (
        changed("hyper_frequency", lambda a: a + (np.arange(8) == 7).astype(np.int32)[:, None]),
        "hyper table does not sum",
    ),
    "frequencies in the wrong table": (changed("latent_frequency", moved_between_tables), "does not sum"),
    "frequencies whose sum wraps round": (changed("latent_frequency", set_item(slice(0, 4), 2**30)), "sum"),
}


#: What can be wrong with dependent quantisation.
BROKEN_TRELLIS: dict[str, tuple[Callable[[Arrays], None], str]] = {
    "dependent quantisation from level 0 on": (changed("trellis", set_item(0, 0)), "one number in 1 to 64"),
    "from a level that is none": (changed("trellis", set_item(0, 65)), "one number in 1 to 64"),
    "from two levels on": (changed("trellis", lambda a: np.append(a, a)), "one number in 1 to 64"),
    "a level as int64": (changed("trellis", lambda a: a.astype(np.int64)), "has type int64"),
    "a level without its tables": (changed("trellis", set_item(0, 13)), "latent_frequency must have"),
    "tables without their level": (lambda arrays: arrays.__delitem__("trellis"), "latent_frequency must"),
}


@pytest.mark.parametrize("case", BROKEN_TRELLIS)
def test_broken_trellis_is_refused(case: str) -> None:
    break_it, reason = BROKEN_TRELLIS[case]
    arrays = {name: array.copy() for name, array in TRELLIS.to_arrays().items()}
    break_it(arrays)
    with pytest.raises(ModelError, match=reason):
        EntropyTables.from_arrays(arrays)


def test_tables_without_dependent_quantisation_have_no_array_for_it() -> None:
    """So that model ids of weights from before it stay."""
    assert "trellis" not in TABLES.to_arrays() and "trellis" in TRELLIS.to_arrays()
    read = EntropyTables.from_arrays(TABLES.to_arrays())
    assert (read.trellis_level, read.units) == (64, 1)
    assert (TRELLIS.trellis_level, TRELLIS.units) == (14, 3)


def test_levels_with_dependent_quantisation_have_two_tables_each() -> None:
    found = []
    for level in range(1, 64):
        found += [TRELLIS.latent_table(level, q) for q in range(1 + (level >= 14))]
    np.testing.assert_array_equal(np.concatenate(found), TRELLIS.latent_frequency)
    assert [TRELLIS.table_number(*place) for place in ((1, 0), (13, 0), (14, 0), (14, 1), (63, 1))] == [
        *(0, 12, 13, 14, 112)
    ]


@pytest.mark.parametrize("case", BROKEN)
def test_refused(case: str) -> None:
    break_it, reason = BROKEN[case]
    arrays = {name: array.copy() for name, array in TABLES.to_arrays().items()}
    break_it(arrays)
    with pytest.raises(ModelError, match=reason) as caught:
        EntropyTables.from_arrays(arrays)
    assert "\n" not in str(caught.value)


def test_good_tables_come_back_as_they_were() -> None:
    read = EntropyTables.from_arrays(TABLES.to_arrays())
    assert (read.latent_channels, read.hyper_channels) == (3, 4)
    for name, array in TABLES.to_arrays().items():
        np.testing.assert_array_equal(read.to_arrays()[name], array)


def test_each_table_is_the_one_the_layout_says() -> None:
    """Tables follow each other without gaps, in the order of level or channel."""
    start = 0
    for level in range(1, 64):
        size = 2 * int(TABLES.latent_half_width[level]) + 2
        np.testing.assert_array_equal(
            TABLES.latent_table(level), TABLES.latent_frequency[start : start + size]
        )
        start += size
    assert start == len(TABLES.latent_frequency)


@pytest.mark.parametrize(("quality_step", "anchor"), [(0, 0), (15, 0), (16, 1), (47, 1), (48, 2), (224, 7)])
def test_hyper_tables_are_those_of_the_nearest_anchor(quality_step: int, anchor: int) -> None:
    size = 2 * int(TABLES.hyper_half_width[0]) + 2
    np.testing.assert_array_equal(TABLES.hyper_table(0, quality_step), TABLES.hyper_frequency[anchor, :size])
