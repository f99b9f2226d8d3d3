"""What kind of image `jdc decode` writes, and that it refuses at once what that kind cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from jdcodec.codec import picture as picture_module
from jdcodec.errors import OptionError

from .command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
CODED, MODEL = GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(file: object, reading: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(picture_module, "read_picture", decode)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["-o", "y"], "PNG"),
        (["-o", "y."], "PNG"),
        (["-o", "y.TIF"], "TIFF"),
        (["-o", "y.png", "--format", "webp"], "WEBP"),
        (["-o", "y.jdc", "--format", "png"], "PNG"),
        (["-o", "y.jpg", "--image-quality", "50"], "JPEG"),
    ],
)
def test_the_format(words: list[str], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = jdc("decode", CODED, *words, "--model", MODEL)
    assert result.exit_code == 0, result.exception
    with Image.open(words[1]) as image:
        assert image.format == kind and image.size == (200, 150)


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "y.jdc"], "y.jdc: format 'jdc': choose png"),
        (["-o", "y.xyz", "--image-quality", "90"], "y.xyz: format 'xyz': choose png"),
        (["-o", "y.jpg", "--bits", "16"], "y.jpg: JPEG holds 8 bits"),
        (["-o", "y", "--format", "avif", "--bits", "16"], "y: AVIF holds 8 bits"),
        (["-o", "-", "--format", "webp", "--bits", "16"], "standard output: WEBP holds 8 bits"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_before_decoding(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = jdc("decode", CODED, *words, "--model", MODEL)
    assert isinstance(result.exception, OptionError) and str(result.exception).startswith(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_decoding")
def test_of_a_folder_it_is_said_once(tmp_path: Path) -> None:
    for name in ("a.jdc", "b.jdc"):
        (tmp_path / name).write_bytes(CODED.read_bytes())
    result = jdc("decode", tmp_path, "-o", tmp_path / "out", "--format", "jpeg", "--bits", "16")
    assert isinstance(result.exception, OptionError) and "JPEG holds 8 bits" in str(result.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_decoding")
@pytest.mark.parametrize("words", [["-o", "y.png"], ["-o", "y"], ["-o", "y.tif"], ["--format", "ppm"]])
def test_a_quality_for_what_has_none_is_a_usage_error(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jdc").write_bytes(CODED.read_bytes())
    result = jdc("decode", "a.jdc", *words, "--image-quality", "90", "--model", MODEL)
    assert result.exit_code == 2 and "--image-quality" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.jdc"]
