"""`jdc view`: what it writes, what it opens, and what it refuses."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image
from typer.testing import CliRunner

from jdcodec.cli import app
from jdcodec.errors import JdcError, OutputError
from jdcodec.view import browser
from tests.cli.command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
CODED, MODEL = GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"


@pytest.fixture(autouse=True)
def no_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test opens a window."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(browser.webbrowser, "open", lambda address: False)


@pytest.fixture
def photo(tmp_path: Path, make_picture: PictureMaker) -> Path:
    path = tmp_path / "photo.jpg"
    Image.fromarray(make_picture(40, 60)).save(path)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_page_is_written_once_and_names_no_other_place(photo: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert jdc("view", photo, "-o", page).exit_code == 0
    text = page.read_text("utf-8")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?!data:)\w""", text)
    assert "default-src 'none'" in text
    again = jdc("view", photo, "-o", page)
    assert isinstance(again.exception, OutputError) and "--force" in str(again.exception)
    assert jdc("view", photo, "-o", page, "--force").exit_code == 0


def test_a_coded_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    disguised = tmp_path / "photo.png"
    disguised.write_bytes(CODED.read_bytes())
    result = jdc("view", disguised, CODED, "-o", tmp_path / "a.html", "--model", MODEL)
    assert result.exit_code == 0
    text = (tmp_path / "a.html").read_text("utf-8")
    assert "quality" in text and "The two files are of the same size." in text


def test_standard_output(photo: Path) -> None:
    result = jdc("view", photo, "-o", "-")
    assert result.exit_code == 0 and result.stdout_bytes.startswith(b"<!doctype html>")


def test_places_do_not_leave_the_machine(photo: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[272] = "Model 1"
    exif.get_ifd(34853)[1], exif.get_ifd(34853)[2] = "N", (52.0, 30.0, 0.0)
    with Image.open(photo) as image:
        image.save(photo, exif=exif)
    assert jdc("view", photo, "-o", tmp_path / "a.html").exit_code == 0
    text = (tmp_path / "a.html").read_text("utf-8")
    assert (
        "Model 1" in text and "GPS" not in text and "52" not in re.sub(r'"base64": "[^"]*"', "", text[-4000:])
    )


@pytest.mark.parametrize(
    "other", ["truncated.jdc", "rubbish.jdc", "empty.png", "missing.png", "narrow.png", "folder"]
)
def test_what_cannot_be_shown_leaves_no_page(photo: Path, tmp_path: Path, other: str) -> None:
    (tmp_path / "truncated.jdc").write_bytes(CODED.read_bytes()[:-30])
    (tmp_path / "rubbish.jdc").write_bytes(b"\x8aJDC\r\n\x1a\n" + bytes(100))
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    Image.fromarray(np.zeros((60, 40, 3), np.uint8)).save(tmp_path / "narrow.png")
    before = names(tmp_path)
    result = jdc("view", photo, tmp_path / other, "-o", tmp_path / "page.html", "--model", MODEL)
    assert result.exit_code == 1 and other in str(result.exception)
    assert "\n" not in str(result.exception)
    assert names(tmp_path) == before


def test_without_a_desktop_it_says_what_to_do(photo: Path) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("there is always a desktop")
    result = jdc("view", photo)
    assert isinstance(result.exception, OutputError) and "-o page.html" in str(result.exception)


def test_a_page_that_could_be_nowhere_is_a_usage_error(photo: Path) -> None:
    assert jdc("view", photo, "--no-open").exit_code == 2
    assert jdc("view", photo, "-o", "-", "--open").exit_code == 2


def test_the_browser_gets_the_page_once_from_this_machine(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that fetches the address in the place of a browser; it sees other addresses refused."""
    script = tmp_path / "browser.py"
    script.write_text(
        "import sys, urllib.error, urllib.parse, urllib.request\n"
        "address, target = sys.argv[2], sys.argv[1]\n"
        "parts = urllib.parse.urlsplit(address)\n"
        "assert parts.hostname == '127.0.0.1' and len(parts.path.split('/')[1]) > 20\n"
        "try:\n"
        "    urllib.request.urlopen(f'http://{parts.netloc}/')\n"
        "except urllib.error.HTTPError as error:\n"
        "    assert error.code == 404\n"
        "else:\n"
        "    sys.exit('served something at its root')\n"
        "open(target, 'wb').write(urllib.request.urlopen(address).read())\n"
    )
    got = tmp_path / "got.html"
    import subprocess

    monkeypatch.setenv("BROWSER", "the script")
    monkeypatch.setattr(
        browser.webbrowser,
        "open",
        lambda address: subprocess.run([sys.executable, script, got, address], timeout=60).returncode == 0,
    )
    before = names(tmp_path)
    assert jdc("view", photo).exit_code == 0
    assert names(tmp_path) - before == {"got.html"}
    assert jdc("view", photo, "-o", "-").stdout_bytes == got.read_bytes()


def test_a_browser_that_never_asks_is_an_error(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "none")
    monkeypatch.setattr(browser, "PATIENCE", 0.1)
    monkeypatch.setattr(browser.webbrowser, "open", lambda address: True)
    assert "did not ask for the page" in str(jdc("view", photo).exception)


@pytest.mark.parametrize("coded", [True, False], ids=["jdc", "photo"])
def test_a_picture_from_standard_input(coded: bool, photo: Path, tmp_path: Path) -> None:
    path = CODED if coded else photo
    words = ["view", "-", str(path), "-o", str(tmp_path / "a.html"), "--model", str(MODEL)]
    result = CliRunner().invoke(app, words, input=path.read_bytes())
    assert result.exit_code == 0, result.output
    assert "standard input" in (tmp_path / "a.html").read_text("utf-8")


@pytest.mark.parametrize("data", [b"", b"nonsense", CODED.read_bytes()[:100]], ids=["empty", "text", "cut"])
def test_what_is_no_picture_on_standard_input(data: bytes, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["view", "-", "-o", str(tmp_path / "a.html")], input=data)
    assert isinstance(result.exception, JdcError)
    said = str(result.exception)
    assert said.startswith("standard input: ") and said.count("standard input") == 1 and "\n" not in said
    assert names(tmp_path) == set()


def test_standard_input_holds_one_picture() -> None:
    assert jdc("view", "-", "-", "-o", "-").exit_code == 2
