"""The public functions may be called from several threads, the first use of a network included."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

import jdcodec
from jdcodec.codec import runtime


def test_four_threads_give_the_bytes_and_pixels_of_one(
    tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [make_picture(64, 96, seed) for seed in range(4)]

    def code(picture: NDArray[np.uint8]) -> tuple[bytes, bytes]:
        data = jdcodec.encode(picture, model=str(tiny_model))
        return data, jdcodec.decode(data, model=str(tiny_model)).tobytes()

    expected = [code(picture) for picture in pictures]
    assert len({data for data, _ in expected}) == 4
    monkeypatch.setattr(runtime, "_networks", {})
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(code, pictures * 3))
    assert found == expected * 3
