"""8 and 16 bits a sample: every value, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from jdcodec.photo.depth import to_8_bit, to_16_bit


def test_every_16_bit_value_becomes_its_nearest() -> None:
    values = np.arange(65_536, dtype=np.uint16)
    result = to_8_bit(values)
    assert result.dtype == np.uint8
    # 257 is odd: no value lies halfway between two.
    np.testing.assert_array_equal(result, np.rint(values / 257))


def test_8_bits_survive_the_way_to_16_and_back() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    deep = to_16_bit(values)
    assert deep.dtype == np.uint16 and deep.max() == 65_535
    np.testing.assert_array_equal(to_8_bit(deep), values)


@pytest.mark.parametrize(("convert", "dtype"), [(to_8_bit, np.uint8), (to_16_bit, np.uint16)])
def test_what_has_the_depth_already_is_not_copied(convert: object, dtype: type) -> None:
    values = np.zeros((2, 3, 3), dtype)
    assert convert(values) is values  # type: ignore[operator]
