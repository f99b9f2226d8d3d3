"""`import jdcodec.imageio`: imageio reads and writes `.jdc` files, 16 bits included."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker

import jdcodec
from jdcodec.codec import weights

iio = pytest.importorskip("imageio.v3")

import jdcodec.imageio  # noqa: E402

GOLDEN = Path(__file__).parents[1] / "golden"
CODED = GOLDEN / "tiles.jdc"


@pytest.fixture(autouse=True)
def shipped_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model of the golden files in place of the shipped one."""
    monkeypatch.setattr(weights, "shipped_models", lambda: {"fast": GOLDEN / "tiny.safetensors"})


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_reading_gives_what_the_codec_decodes(dtype: str) -> None:
    expected = jdcodec.decode(CODED.read_bytes(), dtype=dtype)
    np.testing.assert_array_equal(iio.imread(CODED, dtype=dtype), expected)
    assert iio.imread(CODED, index=..., dtype=dtype).shape == (1, *expected.shape)


def test_grain() -> None:
    expected = jdcodec.decode(CODED.read_bytes(), grain=1.0)
    np.testing.assert_array_equal(iio.imread(CODED, grain=1.0), expected)
    with pytest.raises(OSError, match="grain must lie between 0 and 1"):
        iio.imread(CODED, grain=-1.0)


def test_models_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = jdcodec.decode(CODED.read_bytes())
    monkeypatch.setattr(weights, "shipped_models", dict)
    with pytest.raises(OSError, match="weights file with model=…, or install"):
        iio.imread(CODED)
    np.testing.assert_array_equal(iio.imread(CODED, model=str(GOLDEN / "tiny.safetensors")), expected)


def test_content_tells_without_a_name() -> None:
    data = CODED.read_bytes()
    expected = jdcodec.decode(data)
    np.testing.assert_array_equal(iio.imread(data, plugin="JDC"), expected)
    np.testing.assert_array_equal(iio.imread(io.BytesIO(data), extension=".jdc"), expected)
    assert [picture.shape for picture in iio.imiter(CODED)] == [expected.shape]


def test_properties_and_metadata_decode_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(jdcodec, "decode", fail, raising=False)
    properties = iio.improps(GOLDEN / "gray.jdc")
    assert len(properties.shape) == 2 and properties.dtype == np.uint8
    found = iio.immeta(GOLDEN / "deep-with-metadata.jdc")
    assert found["bit_depth"] == 16 and isinstance(found["exif"], bytes) and 1 <= found["quality"] <= 8


def test_gray_has_two_dimensions() -> None:
    picture = iio.imread(GOLDEN / "gray.jdc")
    assert picture.shape == iio.improps(GOLDEN / "gray.jdc").shape


def test_writing_gives_what_the_codec_encodes(make_picture: PictureMaker, tmp_path: Path) -> None:
    picture = make_picture(40, 56)
    expected = jdcodec.encode(picture, quality=3, denoise=0.5)
    iio.imwrite(tmp_path / "a.jdc", picture, quality=3, denoise=0.5)
    assert (tmp_path / "a.jdc").read_bytes() == expected
    assert iio.imwrite("<bytes>", picture, extension=".jdc", quality=3, denoise=0.5) == expected
    assert iio.imwrite("<bytes>", picture[None], extension=".jdc", quality=3, denoise=0.5) == expected


def test_what_cannot_be_written_leaves_the_file_as_it_was(make_picture: PictureMaker, tmp_path: Path) -> None:
    picture, path = make_picture(16, 16), tmp_path / "a.jdc"
    for pictures, options in (([picture, picture], {}), (picture, {"quality": 99}), (picture[0, 0], {})):
        path.unlink(missing_ok=True)
        with pytest.raises(OSError):
            iio.imwrite(path, pictures, **options)
        assert not path.exists()
        path.write_bytes(b"precious")
        with pytest.raises(OSError):
            iio.imwrite(path, pictures, **options)
        assert path.read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="the system has no limit on the size of files")
def test_a_write_that_fails_leaves_the_file_as_it_was(make_picture: PictureMaker, tmp_path: Path) -> None:
    import resource

    path, picture = tmp_path / "a.jdc", make_picture(64, 64)
    path.write_bytes(b"precious")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="no room left on the disk"):
            iio.imwrite(path, picture)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"precious" and list(tmp_path.iterdir()) == [path]


def test_writing_over_a_file_replaces_it_and_keeps_its_permissions(
    make_picture: PictureMaker, tmp_path: Path
) -> None:
    path, picture = tmp_path / "a.jdc", make_picture(16, 16)
    path.write_bytes(b"old" * 9999)
    path.chmod(0o600)
    iio.imwrite(path, picture)
    assert path.read_bytes() == jdcodec.encode(picture) and path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["photos.zip/a.jdc", "file"])
def test_writing_to_what_is_no_path(make_picture: PictureMaker, tmp_path: Path, target: str) -> None:
    picture = make_picture(16, 16)
    if target == "file":
        file = io.BytesIO()
        iio.imwrite(file, picture, extension=".jdc")
        assert file.getvalue() == jdcodec.encode(picture)
        return
    iio.imwrite(tmp_path / target, picture)
    with zipfile.ZipFile(tmp_path / "photos.zip") as archive:
        assert archive.read("a.jdc") == jdcodec.encode(picture)


def test_other_formats_go_to_other_plugins(make_picture: PictureMaker, tmp_path: Path) -> None:
    picture = make_picture(16, 16)
    iio.imwrite(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(iio.imread(tmp_path / "a.png"), picture)
    with pytest.raises(OSError):
        iio.imread(tmp_path / "a.png", plugin="JDC")


def test_damage_is_an_oserror(tmp_path: Path) -> None:
    data = bytearray(CODED.read_bytes())
    data[-40] ^= 1
    (tmp_path / "flipped.jdc").write_bytes(data)
    (tmp_path / "short.jdc").write_bytes(data[:30])
    (tmp_path / "rubbish.jdc").write_bytes(b"no picture at all")
    for path in tmp_path.iterdir():
        with pytest.raises(OSError):
            iio.imread(path)
    with pytest.raises(IndexError):
        iio.imread(CODED, index=1)


def test_the_import_brings_no_network() -> None:
    code = "import sys, jdcodec.imageio; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
