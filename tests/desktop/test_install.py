"""`jdc desktop`: what it writes where, that desktops understand it, and that it all goes away again."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from jdcodec.codec import weights
from jdcodec.container import SIGNATURE
from jdcodec.desktop import install as desktop
from jdcodec.errors import JdcError, OutputError
from tests.cli.command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
MIME = "{http://www.freedesktop.org/standards/shared-mime-info}"


@pytest.fixture
def data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $XDG_DATA_HOME, and a jdc to be called from it."""
    monkeypatch.setattr(desktop.sys, "platform", "linux")
    monkeypatch.setattr(desktop, "find_program", lambda: Path("/opt/some tools/100%/jdc"))
    home = tmp_path / "share"
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    return home


def files(folder: Path) -> set[str]:
    """All files but the databases that other programs make."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != "mime" or "packages" in path.parts} - {
        "applications/mimeinfo.cache"
    }


def entry(path: Path, section: str) -> dict[str, str]:
    parser = ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return dict(parser[section])


def test_it_says_what_it_wrote_and_removes_just_that(data_home: Path) -> None:
    other = data_home / "thumbnailers" / "other.thumbnailer"
    other.parent.mkdir(parents=True)
    other.write_text("another program's")
    result = jdc("desktop", "install")
    assert result.exit_code == 0, result.output
    said = {line.removeprefix("wrote ") for line in result.output.splitlines() if line.startswith("wrote ")}
    installed = files(data_home) - {"thumbnailers/other.thumbnailer"}
    assert {str(data_home / name) for name in installed} == said
    assert {"mime/packages/jdcodec.xml", "thumbnailers/jdcodec.thumbnailer"} < installed
    assert {"applications/jdcodec.desktop", "man/man1/jdc.1", "man/man1/jdc-encode.1"} < installed
    assert jdc("desktop", "install").exit_code == 0  # again, as after an update
    removed = jdc("desktop", "uninstall")
    assert removed.exit_code == 0 and removed.output.count("removed ") == len(installed)
    assert files(data_home) == {"thumbnailers/other.thumbnailer"}
    assert "nothing of jdcodec" in jdc("desktop", "uninstall").output


def test_relative_data_homes_are_ignored_as_the_specification_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", value)
        assert desktop.Destination.user().root == tmp_path / ".local" / "share"


def test_the_magic_is_the_signature(data_home: Path) -> None:
    jdc("desktop", "install")
    kind = ElementTree.parse(data_home / "mime/packages/jdcodec.xml").getroot()[0]
    assert kind.get("type") == "image/x-jdc"
    match = kind.find(f"{MIME}magic/{MIME}match")
    glob = kind.find(f"{MIME}glob")
    assert match is not None and glob is not None
    value = (match.get("value") or "").encode().decode("unicode_escape").encode("latin-1")
    assert (value, match.get("offset"), glob.get("pattern")) == (SIGNATURE, "0", "*.jdc")


@pytest.mark.skipif(not shutil.which("gio"), reason="gio is not installed")
@pytest.mark.skipif(not shutil.which("update-mime-database"), reason="shared-mime-info is not installed")
def test_the_desktop_knows_the_file_by_name_and_by_content(data_home: Path, tmp_path: Path) -> None:
    def kind(path: Path) -> str:
        command = ["gio", "info", "-a", "standard::content-type", str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.split()[-1]

    nameless = tmp_path / "picture"
    shutil.copy(GOLDEN / "gray.jdc", nameless)
    assert kind(nameless) != "image/x-jdc"
    assert "ran update-mime-database" in jdc("desktop", "install").output
    assert kind(nameless) == kind(GOLDEN / "gray.jdc") == "image/x-jdc"


def test_paths_with_spaces_and_percent_signs_survive(data_home: Path) -> None:
    jdc("desktop", "install")
    for path, section in (
        ("thumbnailers/jdcodec.thumbnailer", "Thumbnailer Entry"),
        ("applications/jdcodec.desktop", "Desktop Entry"),
    ):
        values = entry(data_home / path, section)
        assert values["TryExec"] == "/opt/some tools/100%/jdc"
        assert shlex.split(values["Exec"])[0] == "/opt/some tools/100%%/jdc"
        assert values["MimeType"] == "image/x-jdc;"


@pytest.mark.skipif(not shutil.which("desktop-file-validate"), reason="desktop-file-utils is not installed")
def test_the_desktop_entry_is_valid(data_home: Path) -> None:
    jdc("desktop", "install")
    path = str(data_home / "applications/jdcodec.desktop")
    done = subprocess.run(["desktop-file-validate", path], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("size", [16, 128, 256])
def test_the_thumbnailer_makes_the_size_asked_for(
    data_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(weights, "shipped_models", lambda: {"fast": GOLDEN / "tiny.safetensors"})
    jdc("desktop", "install")
    line = entry(data_home / "thumbnailers/jdcodec.thumbnailer", "Thumbnailer Entry")["Exec"]
    output = tmp_path / "thumbnail.tmp"
    output.touch()  # the desktop makes the file, to have its name
    values = {"%i": str(GOLDEN / "tiles.jdc"), "%o": str(output), "%s": str(size)}
    result = jdc(*(values.get(word, word) for word in shlex.split(line)[1:]))
    assert (result.exit_code, result.output) == (0, "")
    with Image.open(output) as thumbnail, Image.open(GOLDEN / "tiles.png") as whole:
        assert thumbnail.format == "PNG" and max(thumbnail.size) == min(size, max(whole.size))


@pytest.mark.parametrize("path", ["/a\nb/jdc", '/a"b/jdc', "/a$b/jdc", "/a\\b/jdc"])
def test_a_path_that_desktop_files_cannot_hold_is_refused(
    data_home: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(desktop, "find_program", lambda: Path(path))
    assert isinstance(jdc("desktop", "install").exception, JdcError)
    assert not data_home.exists()


def test_a_place_that_cannot_be_written_is_one_line(data_home: Path) -> None:
    data_home.parent.mkdir(exist_ok=True)
    data_home.write_text("a file where the folder should be")
    error = jdc("desktop", "install").exception
    assert isinstance(error, OutputError) and "\n" not in str(error) and str(data_home) in str(error)


def test_other_systems_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(desktop.sys, "platform", "darwin")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert "Linux and BSD" in str(jdc("desktop", "install").exception)
    assert not (tmp_path / "share").exists()
