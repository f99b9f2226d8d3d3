"""The Python functions have what the commands have, under the same words, and run the same code."""

from __future__ import annotations

import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer.main
from numpy.typing import NDArray
from typer.testing import CliRunner

import jdcodec
from jdcodec.cli import app
from jdcodec.codec.decoder import DecodeSettings
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.region import Region, View, decode_view
from jdcodec.container import Reader, parse, serialize
from jdcodec.demo.dng import write_dng
from jdcodec.demo.scene import render
from jdcodec.demo.sensor import Sensor
from jdcodec.errors import DamagedError, FormatError, JdcError, LimitError, ModelError, PhotoError
from jdcodec.photo import ReadOptions, from_array, read_photo
from tests.photo.samples import exif_block

TILE = 128
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" exif:GPSLatitude="52,30.0N"/>'


@pytest.fixture(scope="module")
def data(picture: NDArray[np.uint8], model: str) -> bytes:
    """A file of 2 × 3 tiles with metadata."""
    photo = replace(from_array(picture), exif=exif_block(), xmp=XMP)
    return encode_photo(photo, EncodeSettings(model=model, tile_size=TILE))


# What there is


def test_all_public_names_are_listed_and_there() -> None:
    assert set(jdcodec.__all__) <= set(dir(jdcodec))
    assert {"encode", "decode", "read", "info", "verify", "JdcError"} <= set(jdcodec.__all__)
    for name in jdcodec.__all__:
        assert getattr(jdcodec, name) is not None


@pytest.mark.parametrize(
    ("command", "function", "others"),
    [
        ("encode", "encode", {"exif", "xmp", "icc"}),
        ("decode", "decode", {"dtype"}),
        ("decode", "read", {"dtype"}),
        ("verify", "verify", set()),
    ],
)
def test_options_are_keywords_with_the_names_of_the_command(
    command: str, function: str, others: set[str]
) -> None:
    parameters = inspect.signature(getattr(jdcodec, function)).parameters
    known = {parameter.name for parameter in typer.main.get_command(app).commands[command].params}  # type: ignore[attr-defined]
    options = {name for name, found in parameters.items() if found.kind is found.KEYWORD_ONLY}
    assert len(parameters) == len(options) + 1
    assert options - others <= known
    assert others <= options


def test_nothing_runs_a_network_before_it_has_to(data: bytes, tmp_path: Path) -> None:
    """Importing is cheap; facts, checks and refused input load neither OpenVINO nor torch."""
    path = tmp_path / "file.jdc"
    path.write_bytes(data)
    script = """
import sys, jdcodec
dir(jdcodec)
light = [name for name in ("numpy", "PIL", "constriction", "openvino", "torch") if name in sys.modules]
jdcodec.info(sys.argv[1]), jdcodec.verify(sys.argv[1])
for wrong in (lambda: jdcodec.decode(b"no such file"), lambda: jdcodec.encode(sys.argv[0] + "x")):
    try:
        wrong()
    except jdcodec.JdcError:
        pass
print(light, [name for name in ("openvino", "torch", "rawpy") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[] []"


# Where files and photos come from


class Pipe(io.RawIOBase):
    """Bytes that cannot be sought in."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(size)


@pytest.mark.parametrize(
    "given", [bytes, bytearray, memoryview, io.BytesIO, Pipe, lambda data: np.frombuffer(data, np.uint8)]
)
def test_a_file_from_memory(data: bytes, model: str, given: Callable[[bytes], Any]) -> None:
    np.testing.assert_array_equal(jdcodec.decode(given(data), model=model), jdcodec.decode(data, model=model))
    assert jdcodec.info(given(data)) == jdcodec.info(data)
    assert jdcodec.verify(given(data)).intact


def test_a_file_from_the_disk(data: bytes, model: str, tmp_path: Path) -> None:
    path = tmp_path / "file.jdc"
    path.write_bytes(data)
    expected = jdcodec.decode(data, model=model)
    for given in (path, str(path)):
        np.testing.assert_array_equal(jdcodec.decode(given, model=model), expected)
        assert jdcodec.info(given) == jdcodec.info(data)
        assert jdcodec.verify(given, symbols=True, model=model).intact
    with path.open("rb") as file:
        np.testing.assert_array_equal(jdcodec.decode(file, model=Path(model)), expected)


def test_a_photo_as_path_bytes_and_file(photo: Path, model: str) -> None:
    expected = jdcodec.encode(photo, model=model)
    assert jdcodec.encode(str(photo), model=Path(model)) == expected
    assert jdcodec.encode(photo.read_bytes(), model=model) == expected
    assert jdcodec.encode(io.BytesIO(photo.read_bytes()), model=model) == expected
    assert jdcodec.decode(expected, model=model).shape == (300, 200, 3)


@pytest.mark.parametrize("function", [jdcodec.decode, jdcodec.read, jdcodec.info, jdcodec.verify])
@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        (5, JdcError, "must be bytes, a path or a binary file, not int"),
        (None, JdcError, "must be bytes, a path or a binary file, not NoneType"),
        (b"", FormatError, "it is empty"),
        (b"JFIF, not jdc", FormatError, "not a .jdc file"),
        ("no such file.jdc", PhotoError, "^no such file.jdc: No such file"),
        ("a\0b", JdcError, "null character"),
        (".", PhotoError, "Is a directory"),
        (io.StringIO("text"), JdcError, "open it for bytes"),
    ],
)
def test_what_is_no_file(
    function: Callable[[Any], Any], given: Any, error: type[JdcError], reason: str
) -> None:
    with pytest.raises(error, match=reason) as caught:
        function(given)
    assert "\n" not in str(caught.value)


def test_an_error_names_the_file(data: bytes, model: str, tmp_path: Path) -> None:
    path = tmp_path / "cut.jdc"
    path.write_bytes(data[:-1])
    for function in (jdcodec.decode, jdcodec.info):
        with pytest.raises(DamagedError, match=r"cut\.jdc: "):
            function(path)


def test_a_closed_file_is_refused(data: bytes) -> None:
    file = io.BytesIO(data)
    file.close()
    with pytest.raises(PhotoError, match=r"cannot be read: .*closed"):
        jdcodec.decode(file)


# Options of encode


@pytest.mark.parametrize("effort", [np.int64(6), np.uint8(6)])
def test_numbers_of_numpy(picture: NDArray[np.uint8], model: str, effort: Any) -> None:
    expected = jdcodec.encode(picture, quality=4.5, denoise=0.5, effort=6, model=model)
    given = {"quality": np.float32(4.5), "denoise": np.float64(0.5), "effort": effort}
    assert jdcodec.encode(picture, model=model, **given) == expected


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"quality": "5"}, "quality must be a number, not '5'"),
        ({"quality": [5]}, "quality must be a number, not list"),
        ({"quality": 10**400}, "quality is beyond all numbers"),
        ({"quality": float("nan")}, "quality must lie between 1 and 8"),
        ({"denoise": "0.5"}, "denoise must lie between 0 and 1, or be auto, not '0.5'"),
        ({"denoise": None}, "denoise must be a number, not NoneType"),
        ({"effort": "4"}, "effort must be a whole number, not '4'"),
        ({"effort": 4.5}, "effort must be a whole number, not 4.5"),
        ({"effort": np.int64(10)}, "effort must be a whole number from 1 to 9"),
        ({"model": None}, "model must be a path or a name, not NoneType"),
        ({"model": "no\0model"}, "model is no path"),
        ({"device": 0}, "device must be text, not int"),
        ({"precision": "fp8"}, "precision must be one of"),
        ({"target_size": "large"}, "'large' is no size"),
        ({"target_size": 0}, "a size must be above 0"),
        ({"target_bpp": "1"}, "target_bpp must be a number, not '1'"),
        ({"max_size": [1]}, "max_size must be a number, not list"),
        ({"max_size": 9000, "target_bpp": 1}, "choose one of"),
        ({"target_size": 9000, "quality": 5}, "leave out quality"),
        ({"strip": "gps,everything"}, "'everything' cannot be stripped"),
        ({"strip": ["gps"]}, "strip must be text, not list"),
        ({"white_balance": "moon"}, "white balance 'moon'"),
        ({"exposure": "1"}, "exposure must be a number, not '1'"),
        ({"exposure": 11}, "exposure 11.0 stops"),
        ({"exif": "Maker"}, "exif must be bytes, not 'Maker'"),
        ({"exif": b"no TIFF structure"}, "^exif: "),
        ({"xmp": 5}, "xmp must be bytes, not int"),
        ({"icc": b"no profile"}, "^icc: the colour profile cannot be used: it is damaged$"),
        ({"icc": "sRGB"}, "icc must be bytes, not 'sRGB'"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], reason: str, model: str) -> None:
    with pytest.raises(JdcError, match=reason) as caught:
        jdcodec.encode(np.zeros((64, 64, 3), np.uint8), **{"model": model, **options})
    assert "\n" not in str(caught.value)


def test_sizes(picture: NDArray[np.uint8], model: str) -> None:
    low, high = (len(jdcodec.encode(picture, quality=quality, model=model)) for quality in (2, 7))
    wanted = (low + high) // 2
    near = pytest.approx(wanted, rel=0.02)
    assert len(jdcodec.encode(picture, target_size=wanted, model=model)) == near
    assert len(jdcodec.encode(picture, target_size=f"{wanted} B", model=model)) == near
    assert len(jdcodec.encode(picture, target_bpp=8 * wanted / picture[..., 0].size, model=model)) == near
    assert 0.96 * wanted < len(jdcodec.encode(picture, quality=8, max_size=wanted, model=model)) <= wanted
    with pytest.raises(LimitError, match="cannot be as small as 10 bytes"):
        jdcodec.encode(picture, max_size=10, model=model)


def test_options_for_raw(model: str, tmp_path: Path) -> None:
    sensor = Sensor()
    path = tmp_path / "photo.dng"
    write_dng(path, sensor.expose(render(128, 192), 400, None), sensor.dng_tags(400))
    choices: list[dict[str, Any]] = [
        {},
        {"exposure": 1.5},
        {"white_balance": "auto"},  # the camera's is daylight's but for the last bits
        {"auto_brighten": True},
    ]
    coded = [jdcodec.encode(path, model=model, **options) for options in choices]
    assert len(set(coded)) == len(choices)
    for options, found in zip(choices, coded):
        read = read_photo(path, ReadOptions(**options))
        assert found == encode_photo(read, EncodeSettings(model=model))
    assert jdcodec.info(coded[0]).camera == "jdcodec Demo Camera"


# Options of decode and read


@pytest.mark.parametrize(
    ("region", "scale"),
    [((20, 30, 90, 70), 1), (None, 8), ((20, 30, 90, 70), 2), (np.array([0, 0, 5, 9]), 1)],
)
def test_regions_and_previews(data: bytes, model: str, region: Any, scale: int) -> None:
    settings = DecodeSettings(models=(model,))
    view = View(Region(*map(int, region)) if region is not None else None, scale)
    expected = decode_view(Reader(io.BytesIO(data)), view, settings)
    np.testing.assert_array_equal(
        jdcodec.decode(data, region=region, scale=np.int64(scale), model=model), expected
    )


@pytest.mark.parametrize("dtype", ["uint16", np.uint16, np.dtype(np.uint16)])
def test_kinds_of_pixels(data: bytes, model: str, dtype: Any) -> None:
    assert jdcodec.decode(data, dtype=dtype, model=model).dtype == np.uint16


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"dtype": "int8"}, "dtype must be one of uint8, uint16, float32, not 'int8'"),
        ({"dtype": "pixels"}, "dtype must be one of"),
        ({"dtype": None}, "dtype must be one of"),
        ({"region": "0,0,8,8"}, "region must be"),
        ({"region": (0, 0, 8)}, "region must be"),
        ({"region": (0, 0, 8, 8.5)}, "region must be"),
        ({"region": 5}, "region must be"),
        ({"region": (0, 0, 0, 8)}, "at least 1 pixel"),
        ({"region": (0, 0, 301, 8)}, "reaches beyond the picture of 300 × 200"),
        ({"scale": 3}, "scale must be one of 1, 2, 4, 8, 16, not 3"),
        ({"scale": "8"}, "scale must be a whole number, not '8'"),
        ({"grain": "1"}, "grain must be a number, not '1'"),
        ({"grain": 2}, "grain must lie between 0 and 1"),
        ({"model": 5}, "model must be a path or a name, not int"),
        ({"device": None}, "device must be text, not NoneType"),
        ({"precision": 16}, "precision must be text, not int"),
    ],
)
def test_wishes_that_cannot_be(data: bytes, options: dict[str, Any], reason: str, model: str) -> None:
    with pytest.raises(JdcError, match=reason) as caught:
        jdcodec.decode(data, **{"model": model, **options})
    assert "\n" not in str(caught.value)


def test_salvage(data: bytes, model: str) -> None:
    assert jdcodec.read(data, salvage=True, model=model).damage == ""
    damaged = bytearray(data)
    tile = [section for section in Reader(io.BytesIO(data)).sections if section.type == "Tile"][4]
    damaged[tile.payload_offset + 20] ^= 1
    with pytest.raises(DamagedError):
        jdcodec.decode(damaged, model=model)
    found = jdcodec.read(damaged, salvage=True, model=model)
    assert found.damage.startswith("damaged: 1 of 6 tiles lost, 4; ")
    assert found.pixels.shape == (200, 300, 3)
    assert found.metadata.xmp == XMP
    verdict = jdcodec.verify(damaged)
    assert (verdict.intact, verdict.lost, verdict.tile_count) == (False, (4,), 6)
    with pytest.raises(DamagedError, match="nothing can be saved"):
        jdcodec.read(data[:200], salvage=True, model=model)


def test_verify_finds_wrong_symbols_only_when_asked(data: bytes, model: str) -> None:
    """A tile whose words were changed before its section got its checksum."""
    file = parse(data)
    tile = replace(file.tiles[2], symbols_crc=file.tiles[2].symbols_crc ^ 1)
    wrong = serialize(replace(file, tiles=(*file.tiles[:2], tile, *file.tiles[3:])))
    assert jdcodec.verify(wrong).intact
    assert jdcodec.verify(wrong, symbols=True, model=model).lost == (2,)
    with pytest.raises(ModelError):
        jdcodec.verify(wrong, symbols=True)


# Facts


def test_info_has_what_the_command_has(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.jdc"
    path.write_bytes(data)
    done = CliRunner().invoke(app, ["info", "--json", str(path)])
    told: dict[str, Any] = json.loads(done.stdout)
    facts = asdict(jdcodec.info(path))
    metadata = facts.pop("metadata")
    assert facts == {name: told[name] for name in facts}
    assert told.keys() - facts.keys() == {"file", "grain", *(f"{kind}_bytes" for kind in metadata)}
    for kind, block in metadata.items():
        assert told[f"{kind}_bytes"] == len(block or b"")
    assert (facts["width"], facts["height"], facts["tiles"], facts["gps"]) == (300, 200, 6, True)
