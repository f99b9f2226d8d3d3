"""Names that are refused before anything is done: empty ones, images as outputs, the input itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image
from typer.testing import CliRunner

from jdcodec.cli import app
from jdcodec.cli.jobs import refuse_own_input
from jdcodec.cli.streams import named
from jdcodec.errors import DamagedError, FormatError, JdcError, OptionError, OutputError

from .command import jdc
from .conftest import Run

GOLDEN = Path(__file__).parents[1] / "golden"
CODED, MODEL = GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"


@pytest.fixture
def photo(tmp_path: Path, make_picture: PictureMaker) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(make_picture(32, 48)).save(path)
    return path


@pytest.fixture
def folder_with_dash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a .jdc file named `-`; standard input is empty."""
    monkeypatch.chdir(tmp_path)
    Path("./-").write_bytes(CODED.read_bytes())
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "words",
    [
        ["encode", ""],
        ["encode", "photo.png", ""],
        ["encode", "photo.png", "-o", ""],
        ["encode", "photo.png", "--model", ""],
        ["decode", "", "--force"],
        ["info", ""],
        ["verify", "--quiet", ""],
        ["view", ""],
        ["view", "photo.png", "", "-o", "page.html"],
        ["bench", ""],
        ["train", "--data", ""],
        ["data", "noise", "photos", "-o", ""],
        ["desktop", "man", ""],
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_the_current_folder(
    words: list[str], photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    before = contents(photo.parent)
    result = jdc(*words)
    assert result.exit_code == 1 and isinstance(result.exception, JdcError)
    place = words[words.index("") - 1]
    assert (
        str(result.exception) == f"the argument after {place} is empty; is a variable of the shell not set?"
    )
    assert contents(photo.parent) == before


def test_other_ways_to_name_nothing() -> None:
    assert "at the start is empty" in str(jdc("", "photo.png").exception)
    assert str(jdc("encode", "photo.png", "--output=").exception).startswith("--output= has an empty value")
    # Behind -- it is the name of a file.
    assert "--output=: No such file" in str(jdc("info", "--", "--output=").exception)


def test_the_command_says_it_in_one_line(jdc: Run, photo: Path) -> None:
    done = jdc("encode", "", "--force")
    assert done.returncode == 2 and done.stdout == b""
    assert (
        done.stderr.startswith(b"jdc: the argument after encode is empty") and done.stderr.count(b"\n") == 1
    )


@pytest.mark.parametrize("name", ["out.png", "out.JPG", "out.NEF", "out.heic", "out.pgm"])
def test_a_coded_file_does_not_get_the_ending_of_an_image(photo: Path, name: str) -> None:
    target = photo.with_name(name)
    result = jdc("encode", photo, "-o", target, "--force", "--model", MODEL)
    assert isinstance(result.exception, OptionError) and "ending of an image" in str(result.exception)
    assert not target.exists()


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_the_input_is_not_replaced_by_its_own_output(photo: Path, link: str | None) -> None:
    source = photo.rename(photo.with_suffix(".jdc"))
    target = source if link is None else photo.with_name("other.jdc")
    if link == "symbolic":
        target.symlink_to(source)
    if link == "hard":
        target.hardlink_to(source)
    before = source.read_bytes()
    result = jdc("encode", source, "-o", target, "--force", "--model", MODEL)
    assert isinstance(result.exception, OutputError)
    assert str(result.exception) == f"{target}: is the input itself; name another file with -o"
    assert source.read_bytes() == before


def test_nor_by_that_of_another_command(tmp_path: Path) -> None:
    coded = tmp_path / "a.png"
    coded.write_bytes(CODED.read_bytes())
    for words in (("decode", coded, "-o", coded), ("decode", coded), ("view", coded, coded, "-o", coded)):
        result = jdc(*words, "--force", "--model", MODEL)
        assert "is the input itself" in str(result.exception), words
        assert coded.read_bytes() == CODED.read_bytes()


def test_in_a_folder_only_that_file_fails(tmp_path: Path) -> None:
    (tmp_path / "a.jdc").write_bytes(CODED.read_bytes())
    (tmp_path / "b.png").write_bytes(CODED.read_bytes())
    result = jdc("decode", tmp_path / "a.jdc", tmp_path / "b.png", "--force", "--model", MODEL)
    assert result.exit_code == 1 and "b.png: is the input itself" in result.stderr
    assert "1 of 2 files failed" in result.stderr and (tmp_path / "a.png").exists()


def test_standard_input_from_the_output(photo: Path) -> None:
    """As in `jdc encode - -o a.jdc < a.jdc`; here the test's own descriptor 0 is the file."""
    kept = os.dup(0)
    source = os.open(photo, os.O_RDONLY)
    try:
        os.dup2(source, 0)
        with pytest.raises(OutputError, match="is the input itself"):
            refuse_own_input("-", str(photo))
        refuse_own_input("-", str(photo.with_name("other.jdc")))
    finally:
        os.dup2(kept, 0)
        os.close(source)
        os.close(kept)


def test_devices_are_no_files_to_lose() -> None:
    refuse_own_input(os.devnull, os.devnull)


@pytest.mark.parametrize("command", ["encode", "decode"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_slash_at_the_end_names_a_folder_that_is_made(
    photo: Path, tmp_path: Path, command: str, count: int
) -> None:
    sources = [tmp_path / f"{name}.{'png' if command == 'encode' else 'jdc'}" for name in "ab"[:count]]
    for source in sources:
        source.write_bytes(photo.read_bytes() if command == "encode" else CODED.read_bytes())
    result = jdc(command, *sources, "-o", f"{tmp_path}/new/deep/", "--model", MODEL)
    assert result.exit_code == 0, result.output
    ending = "jdc" if command == "encode" else "png"
    made = {path.name for path in (tmp_path / "new" / "deep").iterdir()}
    assert made == {f"{name}.{ending}" for name in "ab"[:count]}


@pytest.mark.parametrize("command", ["decode", "info", "verify", "view"])
@pytest.mark.parametrize("name", ["not", "file", "a.jdc"])
def test_an_error_names_the_file_whatever_it_is_called(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that the message begins with is told all the same."""
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(CODED.read_bytes()[:100] if command == "view" else b"rubbish")
    result = jdc(command, name, *(["-o", "page.html"] if command == "view" else []))
    expected = f"{name}: file is cut" if command == "view" else f"{name}: not a .jdc file"
    assert result.exit_code == 1 and str(result.exception).startswith(expected)


def test_the_kind_of_an_error_stays() -> None:
    with pytest.raises(DamagedError, match=r"^a: b$"), named("a"):
        raise DamagedError("b")
    with pytest.raises(FormatError, match=r"^a: a: b$"), named("a"), named("a"):
        raise FormatError("b")


@pytest.mark.usefixtures("folder_with_dash")
@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_file_named_as_standard_input_is(command: str) -> None:
    result = jdc(command, "./-", "--json")
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["file"] == "./-"


@pytest.mark.usefixtures("folder_with_dash")
def test_beside_standard_input_it_is_another_one() -> None:
    result = CliRunner().invoke(app, ["verify", "-", "./-"], input=b"rubbish")
    assert result.exit_code == 1 and result.stdout == "./-: intact, 12 tiles\n"
    assert "jdc: standard input: not a .jdc file" in result.stderr and "1 of 2 files failed" in result.stderr


def test_it_is_decoded_and_written_too(folder_with_dash: Path) -> None:
    assert jdc("decode", "./-", "--model", MODEL).exit_code == 0
    assert jdc("encode", "./-.png", "-o", "./-", "--force", "--model", MODEL).exit_code == 0
    assert contents(folder_with_dash).keys() == {"-", "-.png"}
    assert Path("./-").read_bytes() != CODED.read_bytes() and jdc("verify", "./-").exit_code == 0
    assert "is the input itself" in str(jdc("decode", "./-", "-o", "./-", "--model", MODEL).exception)


@pytest.mark.usefixtures("folder_with_dash")
def test_and_encoded(make_picture: PictureMaker) -> None:
    Image.fromarray(make_picture(32, 48)).save("./-", "png")
    result = jdc("encode", "./-", "--json", "--model", MODEL)
    assert result.exit_code == 0, result.exception
    record = json.loads(result.stdout)
    assert (record["input"], record["output"], record["width"]) == ("./-", "-.jdc", 48)
