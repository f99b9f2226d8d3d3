"""A file of several tiles and its whole picture, to compare parts with."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import PictureMaker
from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.container import Reader, Tile
from jdcodec.photo import from_array

#: The last row and column of tiles are narrower, and the picture ends within them: 3 × 3 tiles.
HEIGHT, WIDTH, TILE = 650, 701, 256


@dataclass(frozen=True)
class Coded:
    """A file's bytes, how to decode it, and its whole picture."""

    data: bytes
    settings: DecodeSettings
    whole: NDArray[Any]

    def reader(self) -> CountingReader:
        return CountingReader(io.BytesIO(self.data))


class CountingReader(Reader):
    """Notes which tiles are read."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.tiles_read: list[int] = []

    def read_tile(self, index: int) -> Tile:
        self.tiles_read.append(index)
        return super().read_tile(index)


def code(pixels: NDArray[Any], model: Path, dtype: str = "uint8", **options: Any) -> Coded:
    settings = DecodeSettings(dtype=dtype, device="cpu", precision="fp32", models=(str(model),))
    encoding = EncodeSettings(model=str(model), precision="fp32", tile_size=TILE, **options)
    data = encode_photo(from_array(pixels), encoding)
    return Coded(data, settings, decode_bytes(data, settings))


@pytest.fixture(scope="session")
def coded(make_picture: PictureMaker, tiny_model: Path) -> Coded:
    return code(make_picture(HEIGHT, WIDTH), tiny_model, quality=6.0)
