"""Salvage gives every undamaged tile, marks the others, and says which."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from numpy.typing import NDArray
from PIL import Image

from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.region import Region, View
from jdcodec.codec.salvage import salvage
from jdcodec.codec.verify import verify
from jdcodec.container import Metadata, Reader, Section, Tile, parse, serialize
from jdcodec.container.contents import JdcFile
from jdcodec.errors import DamagedError, JdcError, ModelError
from jdcodec.photo import from_array

from .conftest import Place

HEIGHT, WIDTH, TILE = 500, 700, 192  # 3 rows of 4 tiles


@dataclass(frozen=True)
class Sample:
    data: bytes
    settings: DecodeSettings
    whole: NDArray[np.uint8]

    def tile(self, index: int) -> Section:
        """Where a tile's section lies."""
        return [s for s in Reader(io.BytesIO(self.data)).sections if s.type == "Tile"][index]

    def damaged(self, *indices: int) -> bytes:
        """The file with a byte of these tiles changed."""
        data = bytearray(self.data)
        for index in indices:
            data[self.tile(index).payload_offset + 20] ^= 0x40
        return bytes(data)


@pytest.fixture(scope="module")
def sample(make_picture: PictureMaker, tiny_model: Path) -> Sample:
    options = EncodeSettings(quality=6, model=str(tiny_model), precision="fp32", tile_size=TILE)
    file = parse(encode_photo(from_array(make_picture(HEIGHT, WIDTH)), options))
    data = serialize(JdcFile(file.header, file.tiles, Metadata(xmp=b"<x/>")))
    settings = DecodeSettings(device="cpu", precision="fp32", models=(str(tiny_model),))
    return Sample(data, settings, decode_bytes(data, settings))


def distance_to(index: int, shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> NDArray[np.int64]:
    """How many pixels each pixel is away from a tile, (h, w); 0 in it."""
    row, column = divmod(index, 4)

    def away(size: int, start: int) -> NDArray[np.int64]:
        places = np.arange(size)
        return np.maximum(np.maximum(start - places, places - (start + TILE - 1)), 0)

    return np.maximum(away(shape[0], row * TILE)[:, None], away(shape[1], column * TILE))


def test_an_intact_file_is_just_decoded(sample: Sample) -> None:
    saved = salvage(sample.data, View(), sample.settings)
    assert (saved.damage, saved.lost, saved.problems) == ("", (), ())
    assert saved.metadata.xmp == b"<x/>"
    assert np.abs(saved.pixels.astype(int) - sample.whole).max() <= 1


@pytest.mark.parametrize("index", [0, 5, 11])
def test_a_lost_tile_is_hatched_and_the_rest_is_right(sample: Sample, index: int) -> None:
    saved = salvage(sample.damaged(index), View(), sample.settings)
    assert saved.lost == (index,)
    assert saved.damage.startswith(f"damaged: 1 of 12 tiles lost, {index}; Tile section at offset ")
    distance = distance_to(index)
    lost = saved.pixels[distance == 0]
    assert set(np.unique(lost)) == {63, 127}
    assert 0.15 < (lost == 63).mean() < 0.35
    apart = np.abs(saved.pixels.astype(int) - sample.whole).max(axis=2)
    assert saved.band == 224
    assert apart[distance > saved.band].max() <= 1
    # The documented band is no idle warning: next to the tile pixels do differ.
    assert apart[(distance > 0) & (distance < 16)].max() > 1


def test_symbols_that_do_not_match_their_checksum_count_as_lost(sample: Sample) -> None:
    """Words changed under a right section checksum, as by faulty memory while the file was written."""
    file = parse(sample.data)
    tiles = list(file.tiles)
    words = bytearray(tiles[7].data)
    words[5] ^= 1
    tiles[7] = Tile(7, tiles[7].symbols_crc, bytes(words))
    saved = salvage(serialize(JdcFile(file.header, tuple(tiles))), View(), sample.settings)
    assert saved.lost == (7,)
    assert "damaged" in saved.problems[0]


def test_damaged_metadata_do_not_prevent_it(sample: Sample) -> None:
    data = bytearray(sample.data)
    data[data.index(b"<x/>")] ^= 1
    saved = salvage(bytes(data), View(), sample.settings)
    assert saved.lost == ()
    assert saved.metadata.xmp is None
    assert saved.damage.startswith("damaged: no tile lost; xmpd section at offset ")
    assert np.abs(saved.pixels.astype(int) - sample.whole).max() <= 1


def test_a_cut_file(sample: Sample) -> None:
    saved = salvage(sample.data[: sample.tile(9).payload_offset + 50], View(), sample.settings)
    assert saved.lost == (9, 10, 11)
    assert "3 of 12 tiles lost, 9–11" in saved.damage
    assert np.abs(saved.pixels[:100].astype(int) - sample.whole[:100]).max() <= 1


def test_of_a_region(sample: Sample) -> None:
    """Only tiles that the region takes are reported, and marked where they are in sight."""
    region = Region(384, 0, 100, 150)
    saved = salvage(sample.damaged(2, 8), View(region), sample.settings)
    assert saved.lost == (2,)
    assert set(np.unique(saved.pixels)) == {63, 127}
    left = salvage(sample.damaged(2), View(Region(380, 10, 10, 3)), sample.settings).pixels
    assert set(np.unique(left[:, 4:])) <= {63, 127}
    assert len(np.unique(left[:, :4])) > 2


def test_of_a_region_it_says_what_is_lost_in_the_file_too(sample: Sample) -> None:
    data = sample.damaged(8, 9)
    far = salvage(data, View(Region(600, 0, 40, 40)), sample.settings)
    assert far.lost == () and far.lost_in_file == (8, 9)
    assert far.damage.startswith(f"{verify(data)}") and far.damage.endswith(
        "; of these none in or near this part"
    )
    near = salvage(sample.damaged(2, 8), View(Region(384, 0, 100, 150)), sample.settings)
    assert near.damage.startswith("damaged: 2 of 12 tiles lost, 2, 8; Tile section")
    assert "; of these 2 in or near this part; pixels within 224 of a lost tile may differ" in near.damage
    whole = salvage(data, View(), sample.settings)
    assert whole.lost == whole.lost_in_file == (8, 9) and "this part" not in whole.damage


@pytest.mark.parametrize("scale", [2, 16])
def test_of_a_preview(sample: Sample, scale: int) -> None:
    saved = salvage(sample.damaged(5), View(scale=scale), sample.settings)
    side = TILE // scale
    assert set(np.unique(saved.pixels[side : 2 * side, side : 2 * side])) == {63, 127}
    intact = salvage(sample.data, View(scale=scale), sample.settings).pixels
    far = distance_to(5)[::scale, ::scale] > saved.band
    assert far.any()
    np.testing.assert_array_equal(saved.pixels[far], intact[far])


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_marks_in_other_depths(sample: Sample, dtype: str) -> None:
    settings = DecodeSettings(dtype=dtype, device="cpu", precision="fp32", models=sample.settings.models)
    pixels = salvage(sample.damaged(0), View(scale=2), settings).pixels
    full = 65_535 if dtype == "uint16" else 1.0
    np.testing.assert_allclose(np.unique(pixels[:96, :96]) / full, [0.25, 0.5], atol=1e-4)


def test_nothing_left_is_an_error(sample: Sample) -> None:
    with pytest.raises(DamagedError, match="nothing can be saved"):
        salvage(sample.damaged(*range(12)), View(), sample.settings)


def test_a_damaged_header_is_an_error(sample: Sample) -> None:
    data = bytearray(sample.data)
    data[40] ^= 1
    with pytest.raises(JdcError, match="Head section"):
        salvage(bytes(data), View(), sample.settings)


def test_an_unknown_model_is_an_error(sample: Sample) -> None:
    with pytest.raises(ModelError, match="needs the model"):
        salvage(sample.damaged(1), View(), DecodeSettings())


def test_command(place: Place, sample: Sample) -> None:
    """A picture is written all the same, and the exit status is 1."""
    source, target = place.root / "bad.jdc", place.out / "bad.png"
    source.write_bytes(sample.damaged(3, 6, 7))
    assert place.jdc("decode", source, "-o", target).wait() == 1
    assert place.left() == set()
    command = place.jdc("decode", source, "-o", target, "--salvage", "--quiet")
    assert command.wait() == 1
    assert command.said.startswith(f"jdc: {source}: damaged: 3 of 12 tiles lost, 3, 6–7; Tile section")
    assert command.said.endswith("; pixels within 224 of a lost tile may differ\n")
    with Image.open(target) as image:
        assert image.size == (WIDTH, HEIGHT)
        assert image.getpixel((WIDTH - 1, 0)) in ((63, 63, 63), (127, 127, 127))


def test_command_on_several_files(place: Place, sample: Sample) -> None:
    folder = place.root / "files"
    folder.mkdir()
    (folder / "bad.jdc").write_bytes(sample.damaged(1))
    (folder / "good.jdc").write_bytes(sample.data)
    command = place.jdc("decode", folder, "-o", place.out, "--salvage", "--json", "--scale", "8")
    assert command.wait() == 1
    lines = [line for line in command.said.splitlines() if line.startswith("{")]
    assert ["damage" in json.loads(line) for line in lines] == [True, False]
    assert "1 of 2 files failed" in command.said
    assert place.left() == {"bad.png", "good.png"}


@pytest.mark.parametrize("longest", [300, 80])
def test_command_that_fits_a_cut_file(place: Place, sample: Sample, longest: int) -> None:
    """--fit looks at the header first, of a damaged file as of an intact one."""
    source, target = place.root / "cut.jdc", place.out / "cut.png"
    source.write_bytes(sample.data[: sample.tile(9).payload_offset + 50])
    command = place.jdc("decode", source, "-o", target, "--salvage", "--fit", str(longest))
    assert command.wait() == 1 and "damaged: 3 of 12 tiles lost, 9–11" in command.said
    with Image.open(target) as image:
        assert max(image.size) == longest
    source.write_bytes(sample.data[:30])
    command = place.jdc("decode", source, "-o", place.out / "b.png", "--salvage", "--fit", str(longest))
    assert command.wait() == 1 and command.said.startswith(f"jdc: {source}: ")
    assert place.left() == {"cut.png"}
