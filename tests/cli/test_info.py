"""`jdc info` on several files and on folders, as `jdc verify` takes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jdcodec.errors import PhotoError

from .command import jdc

CODED = Path(__file__).parents[1] / "golden" / "tiles.jdc"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("b.jdc", "a.jdc", "deep/c.jdc"):
        (tmp_path / name).write_bytes(CODED.read_bytes())
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def shown(*words: object) -> list[str]:
    result = jdc("info", *words, "--json")
    assert result.exit_code == 0, result.exception
    return [json.loads(line)["file"] for line in result.stdout.splitlines()]


def test_folders(folder: Path) -> None:
    here = [str(folder / name) for name in ("a.jdc", "b.jdc")]
    assert shown(folder) == here
    assert shown(folder, "-r") == [*here, str(folder / "deep" / "c.jdc")]
    assert shown(folder / "deep") == [str(folder / "deep" / "c.jdc")]
    assert shown(folder / "b.jdc", folder) == [here[1], here[0]]


def test_words_for_each_file(folder: Path) -> None:
    said = jdc("info", folder).stdout
    assert said.count("width  200\n") == 2 and said.count("\n\n") == 2


def test_a_folder_without_files(folder: Path) -> None:
    (folder / "void").mkdir()
    assert isinstance(jdc("info", folder / "void").exception, PhotoError)
