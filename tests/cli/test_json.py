"""`--json`: valid whatever a file is called, and a line for each file, failed ones included."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PictureMaker
from PIL import Image
from typer.testing import CliRunner

from jdcodec.cli import app

from .command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
CODED, MODEL = GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"
GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"


def records(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@pytest.mark.parametrize("command", ["info", "verify"])
def test_any_name_in_any_encoding(command: str, encoding: str, tmp_path: Path) -> None:
    name = b"\xff\xe9\xc3\xa9\n.jdc"
    Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(CODED.read_bytes())
    words = [os.fsencode(sys.executable), b"-c", b"from jdcodec.cli import main; main()"]
    done = subprocess.run(
        [*words, command.encode(), b"--json", name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii() and done.stdout.count(b"\n") == 1
    assert os.fsencode(json.loads(done.stdout)["file"]) == name


@pytest.fixture
def folder(tmp_path: Path, make_picture: PictureMaker) -> Path:
    """A good photo and a bad one, a good file and a bad one."""
    Image.fromarray(make_picture(32, 48)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (tmp_path / "right.jdc").write_bytes(CODED.read_bytes())
    (tmp_path / "wrong.jdc").write_bytes(b"no such file")
    return tmp_path


@pytest.mark.parametrize("command", ["encode", "decode", "encode with workers"])
def test_a_photo_without_output_has_a_line(folder: Path, command: str) -> None:
    name, *workers = command.split()
    words = ["-o", folder / "out", "--json", "--model", MODEL, *(["--workers", 2] if workers else [])]
    result = jdc(name, folder, *words)
    assert result.exit_code == 1 and "1 of 2 files failed" in result.stderr
    bad, good = sorted(records(result.stdout), key=lambda record: "width" in record)
    source, target = ("bad.png", "bad.jdc") if name == "encode" else ("wrong.jdc", "wrong.png")
    assert set(bad) == {"input", "output", "error"} and "error" not in good
    assert (bad["input"], bad["output"]) == (str(folder / source), str(folder / "out" / target))
    assert bad["error"].startswith(f"{folder / source}: ") and f"jdc: {bad['error']}\n" in result.stderr


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_the_only_one_too(folder: Path, command: str) -> None:
    source = folder / ("bad.png" if command == "encode" else "wrong.jdc")
    result = jdc(command, source, "--json", "--model", MODEL)
    assert result.exit_code == 1
    (record,) = records(result.stdout)
    assert record["input"] == str(source) and record["error"] == str(result.exception)


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_file_that_is_none_has_a_line(folder: Path, command: str) -> None:
    result = jdc(command, folder, folder / "missing.jdc", "--json")
    assert result.exit_code == 1 and "2 of 3 files failed" in result.stderr
    right, wrong, missing = records(result.stdout)
    assert "error" not in right and right["tiles"] == 12
    assert wrong == {"file": str(folder / "wrong.jdc"), "error": wrong["error"]}
    assert wrong["error"].startswith(f"{folder}/wrong.jdc: not a .jdc file")
    assert missing["error"].startswith(f"{folder}/missing.jdc: No such file")


@pytest.mark.parametrize("command", ["info", "verify", "encode", "decode"])
@pytest.mark.parametrize("fails", [False, True])
def test_standard_input_is_a_dash(folder: Path, command: str, fails: bool) -> None:
    """To programs; messages call it by its name."""
    given = "good.png" if command == "encode" else "right.jdc"
    data = b"rubbish" if fails else (folder / given).read_bytes()
    writes = ["-o", str(folder / "out"), "--model", str(MODEL)] if command in ("encode", "decode") else []
    result = CliRunner().invoke(app, [command, "-", "--json", *writes], input=data)
    assert result.exit_code == fails
    (record,) = records(result.stdout)
    assert record["input" if writes else "file"] == "-" and ("error" in record) == fails
    assert not fails or record["error"].startswith("standard input: ")


def test_words_call_it_by_its_name() -> None:
    data = CODED.read_bytes()
    assert CliRunner().invoke(app, ["info", "-"], input=data).stdout.split("\n")[0].endswith("standard input")
    assert CliRunner().invoke(app, ["verify", "-"], input=data).stdout.startswith("standard input: intact")


def test_a_damaged_file_has_one_line_of_its_own_kind(folder: Path) -> None:
    (folder / "right.jdc").write_bytes(CODED.read_bytes()[:-40])
    (folder / "wrong.jdc").unlink()
    result = jdc("verify", folder, "--json")
    (record,) = records(result.stdout)
    assert result.exit_code == 1 and record["intact"] is False and "error" not in record


def test_the_picture_on_standard_output_stays_alone(folder: Path) -> None:
    result = jdc("decode", folder / "wrong.jdc", "-o", "-", "--json", "--model", MODEL)
    assert result.exit_code == 1 and result.stdout == ""


def test_the_guide_lists_every_field(folder: Path) -> None:
    section = re.search(r"\n## Scripts\n.*?\n## ", GUIDE.read_text("utf-8"), re.DOTALL)
    assert section is not None
    documented = set(re.findall(r"`(\w+)`", section[0]))
    (folder / "cut.jdc").write_bytes(CODED.read_bytes()[:-40])
    printed: set[str] = set()
    for words in (["encode"], ["decode", "--salvage"], ["info"], ["verify"]):
        out = ["-o", folder / "out", "--model", MODEL] if words[0] in ("encode", "decode") else []
        for record in records(jdc(*words, folder, *out, "--json").stdout):
            printed |= record.keys()
    assert {"damage", "error", "notes", "gps", "problems"} <= printed <= documented
