"""`python -m jdcodec.demo`: its files, its table and its errors, with a small scene and a stand-in codec."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jdcodec.demo import __main__ as demo
from jdcodec.demo.compare import Codec, pillow_codec
from jdcodec.errors import ModelError

OUTPUTS = {
    "about-these-files.txt",
    "comparison.png",
    "photo.png",
    *(f"quality-{quality}.{suffix}" for quality in (2, 4, 6) for suffix in ("jdc", "png")),
    *(f"same-size-as-quality-{quality}.{suffix}" for quality in (2, 4, 6) for suffix in ("jpg", "webp")),
}
SCENE_OUTPUTS = OUTPUTS | {"scene.dng", "scene-noise-free.dng", "scene-noise-free.png"}


@pytest.fixture(autouse=True)
def small_and_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command as it is, but for the scene's size and for the codec, which here is WebP."""
    webp = pillow_codec("WebP")
    codec = Codec("jdc", lambda pixels, quality: webp.encode(pixels, 10 * quality), webp.decode)
    monkeypatch.setattr(demo, "jdc_codec", lambda: codec)
    monkeypatch.setattr(demo, "make_scene_raw", partial(demo.make_scene_raw, height=192, width=288))
    # Rich takes the table's width from here.
    monkeypatch.setenv("COLUMNS", "120")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def psnr(a: Path, b: Path) -> float:
    first, second = (np.asarray(Image.open(path)).astype(float) for path in (a, b))
    return float(10 * np.log10(255**2 / np.mean((first - second) ** 2)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_makes_a_scene_and_shows_what_became_of_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--output", str(folder)]) == 0

    assert names(folder) == SCENE_OUTPUTS
    printed = capsys.readouterr().out
    rows = re.findall(r"^│ (jdc|JPEG|WebP) +│ +(\d+) │ +([\d,]+) │.*?([\d.]+) │$", printed, re.MULTILINE)
    assert [row[:2] for row in rows if row[0] == "jdc"] == [("jdc", "2"), ("jdc", "4"), ("jdc", "6")]
    assert len(rows) == 9
    ours = {row[1]: row for row in rows if row[0] == "jdc"}
    for quality, (_, _, size, fidelity) in ours.items():
        assert int(size.replace(",", "")) == (folder / f"quality-{quality}.jdc").stat().st_size
        decoded = folder / f"quality-{quality}.png"
        assert float(fidelity) == pytest.approx(psnr(folder / "scene-noise-free.png", decoded), abs=0.006)


def test_the_made_photo_is_as_noisy_as_iso_6400(folder: Path) -> None:
    assert demo.main(["--output", str(folder)]) == 0
    assert 23 < psnr(folder / "photo.png", folder / "scene-noise-free.png") < 29


def test_less_iso_is_less_noise(folder: Path) -> None:
    assert demo.main(["--output", str(folder), "--iso", "200"]) == 0
    assert psnr(folder / "photo.png", folder / "scene-noise-free.png") > 34


def test_a_second_run_replaces_the_first_and_leaves_the_rest(folder: Path) -> None:
    assert demo.main(["--output", str(folder)]) == 0
    (folder / "mine.txt").write_text("kept")
    (folder / "comparison.png").write_bytes(b"old")
    assert demo.main(["--output", str(folder)]) == 0
    assert (folder / "mine.txt").read_text() == "kept"
    assert Image.open(folder / "comparison.png").width > 1000
    assert names(folder) == SCENE_OUTPUTS | {"mine.txt"}


def test_a_photo_of_the_users_has_no_fidelity(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "mine é.png"
    pixels = np.random.default_rng(0).integers(0, 255, (90, 130, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(photo)

    assert demo.main(["--photo", str(photo), "--output", str(folder)]) == 0

    assert names(folder) == OUTPUTS
    printed = capsys.readouterr().out
    assert "No PSNR" in printed
    assert re.search(r"dB to|\d\d\.\d\d │$", printed, re.MULTILINE) is None
    assert np.array_equal(np.asarray(Image.open(folder / "photo.png")), pixels)


@pytest.mark.parametrize("content", [None, b"", b"not a photo at all"], ids=["missing", "empty", "text"])
def test_a_photo_that_cannot_be_read_is_one_line(
    content: bytes | None, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "broken.dng"
    if content is not None:
        photo.write_bytes(content)
    assert demo.main(["--photo", str(photo), "--output", str(folder)]) == 1
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("demo: ")
    assert "broken.dng" in error
    assert not folder.exists()


def test_a_truncated_raw_is_one_line(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    raw, _ = demo.make_scene_raw(tmp_path, 6400, 7)
    data = raw.read_bytes()
    # The mosaic of 192 × 288 comes first, and what says how to read it follows.
    for length in (8, 100, len(data) // 2, 8 + 2 * 192 * 288):
        raw.write_bytes(data[:length])
        assert demo.main(["--photo", str(raw), "--output", str(folder)]) == 1, length
        assert capfd.readouterr().err.count("\n") == 1, length


def test_a_network_that_is_missing_is_one_line_and_no_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def encode(pixels: np.ndarray, quality: float) -> bytes:
        raise ModelError("no weights for model 'fast'")

    monkeypatch.setattr(demo, "jdc_codec", lambda: Codec("jdc", encode, lambda data: data))
    assert demo.main(["--output", str(folder)]) == 1
    assert capsys.readouterr().err == "demo: no weights for model 'fast'\n"
    assert not folder.exists()


def test_a_folder_with_other_files_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.mkdir()
    (folder / "photo.png").write_bytes(b"mine")
    assert demo.main(["--output", str(folder)]) == 1
    assert "holds other files" in capsys.readouterr().err
    assert names(folder) == {"photo.png"}
    assert (folder / "photo.png").read_bytes() == b"mine"


def test_an_output_that_is_a_file_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write_text("a file")
    assert demo.main(["--output", str(folder)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert folder.read_text() == "a file"


@pytest.mark.parametrize(
    "arguments",
    [["--iso", "99"], ["--iso", "many"], ["--seed", "-1"], ["--unknown"], ["stray"]],
    ids=" ".join,
)
def test_usage_errors_leave_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        demo.main(arguments)
    assert leaving.value.code == 2


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from jdcodec.demo.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as leaving:\n    assert leaving.code == 0\n"
        "heavy = {'torch', 'numpy', 'PIL', 'rawpy', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(demo.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--photo" in done.stdout
