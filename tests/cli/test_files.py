"""encode and decode: files, folders, pipes, what is overwritten, and exit codes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

import jdcodec
from tests.cli.conftest import Run
from tests.conftest import PictureMaker


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_there_and_back(jdc: Run, photo: Path, tiny_model: Path, tmp_path: Path) -> None:
    done = jdc("encode", photo, "-o", "a.jdc", "--model", tiny_model, "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    size = (tmp_path / "a.jdc").stat().st_size
    assert figures["bytes"] == size
    assert figures["bpp"] == round(8 * size / 7000, 5)
    done = jdc("decode", "a.jdc", "-o", "b.png", "--model", tiny_model)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "b.png") as image:
        assert image.size == (100, 70)
        decoded = np.asarray(image)
    assert np.array_equal(decoded, jdcodec.decode((tmp_path / "a.jdc").read_bytes(), model=str(tiny_model)))


def test_default_names_are_beside_the_input(jdc: Run, photo: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert jdc("encode", photo, "--model", tiny_model).returncode == 0
    photo.unlink()
    assert jdc("decode", "photo.jdc", "--model", tiny_model).returncode == 0
    assert names(tmp_path) == {"photo.jdc", "photo.png"}


def test_pipes(jdc: Run, photo: Path, tiny_model: Path) -> None:
    coded = jdc("encode", "-", "-o", "-", "--model", tiny_model, stdin=photo.read_bytes())
    assert coded.returncode == 0, coded.stderr
    decoded = jdc("decode", "-", "-o", "-", "--format", "ppm", "--model", tiny_model, stdin=coded.stdout)
    assert decoded.returncode == 0, decoded.stderr
    assert Image.open(io.BytesIO(decoded.stdout)).size == (100, 70)


def test_sixteen_bits(jdc: Run, photo: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert jdc("encode", photo, "-o", "a.jdc", "--model", tiny_model).returncode == 0
    assert jdc("decode", "a.jdc", "-o", "a.ppm", "--bits", "16", "--model", tiny_model).returncode == 0
    assert b"65535" in (tmp_path / "a.ppm").read_bytes()[:20]


def test_nothing_is_overwritten_without_force(
    jdc: Run, photo: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.jdc").write_bytes(b"precious")
    done = jdc("encode", photo, "-o", "a.jdc", "--model", tiny_model)
    assert done.returncode == 1
    assert b"--force" in done.stderr
    assert (tmp_path / "a.jdc").read_bytes() == b"precious"
    assert jdc("encode", photo, "-o", "a.jdc", "--model", tiny_model, "--force").returncode == 0
    assert (tmp_path / "a.jdc").read_bytes() != b"precious"


def test_a_folder_with_a_bad_file(
    jdc: Run, tiny_model: Path, tmp_path: Path, make_picture: PictureMaker
) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "a.jpg", "deep/b.png"):
        Image.fromarray(make_picture(64, 64)).save(folder / name)
    (folder / "c.png").write_bytes(b"not a picture")
    (folder / ".hidden.png").write_bytes(b"not a picture either")
    done = jdc("encode", "in", "-o", "out", "--recursive", "--model", tiny_model)
    assert done.returncode == 1
    assert b"c.png" in done.stderr
    assert b".hidden" not in done.stderr
    assert b"1 of 4" in done.stderr
    assert names(tmp_path / "out") == {"a.png.jdc", "a.jpg.jdc", "deep/b.jdc"}


def test_one_line_and_nothing_left_behind(jdc: Run, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.nef").write_text("no photo")
    (tmp_path / "broken.jdc").write_bytes(b"\x8aJDC\r\n\x1a\n\x01\x00rubbish")
    (tmp_path / "future.jdc").write_bytes(b"\x8aJDC\r\n\x1a\n\x09\x00" + bytes(60))
    (tmp_path / "void").mkdir()
    before = names(tmp_path)
    cases = [
        ("encode", "empty.png"),
        ("encode", "text.nef"),
        ("encode", "missing.png"),
        ("encode", "void"),
        ("decode", "broken.jdc"),
        ("decode", "future.jdc"),
        ("decode", "empty.png", "-o", "x.png"),
        ("info", "broken.jdc"),
        ("info", "missing.jdc"),
    ]
    for arguments in cases:
        done = jdc(*arguments)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith(b"jdc: "), done.stderr
        assert done.stderr.count(b"\n") == 1, done.stderr
        assert b"Traceback" not in done.stderr
        assert names(tmp_path) == before


def test_usage_errors_are_status_2(jdc: Run, photo: Path) -> None:
    for arguments in (
        ("encode",),
        ("encode", photo, "--quality", "9"),
        ("decode", "x", "--bits", "12"),
        ("no",),
    ):
        assert jdc(*arguments).returncode == 2, arguments


def test_unknown_model(jdc: Run, photo: Path, tiny_model: Path) -> None:
    done = jdc("encode", photo, "--model", "superb")
    assert done.returncode == 1
    assert b"superb" in done.stderr
    assert jdc("encode", photo, "-o", "a.jdc", "--model", tiny_model).returncode == 0
    done = jdc("decode", "a.jdc")
    assert done.returncode == 1
    assert b"needs the model" in done.stderr


def test_info(jdc: Run, photo: Path, tiny_model: Path) -> None:
    assert (
        jdc("encode", photo, "-o", "a.jdc", "-q", "3.5", "-d", "0.5", "--model", tiny_model).returncode == 0
    )
    facts = json.loads(jdc("info", "a.jdc", "--json").stdout)
    assert (facts["width"], facts["height"], facts["quality"], facts["denoise"]) == (100, 70, 3.5, 0.5)
    assert b"100" in jdc("info", "a.jdc").stdout
