"""The report's folder: what is kept, what is refused, what a killed run leaves behind."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from jdcodec.bench.results import POINTS, Point, append, open_folder, write_csv
from jdcodec.errors import JdcError, OutputError

POINT = Point("picture", "jpeg", 30, "digest", "1", "command", bytes=100, bpp=1.0, psnr=30.0)


def with_points(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / POINTS).write_text(text, "utf-8")
    return folder


def test_points_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    assert open_folder(folder, resume=False, force=False) == {}
    with (folder / POINTS).open("a") as stream:
        append(stream, POINT)
    assert open_folder(folder, resume=True, force=False) == {POINT.key: POINT}


def test_an_earlier_run_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    folder = with_points(tmp_path / "r", json.dumps(asdict(POINT)) + "\n")
    with pytest.raises(OutputError, match="--resume goes on, --force starts again"):
        open_folder(folder, resume=False, force=False)
    assert open_folder(folder, resume=False, force=True) == {}
    assert (folder / POINTS).read_text() == ""


def test_an_unfinished_last_line_is_dropped(tmp_path: Path) -> None:
    line = json.dumps(asdict(POINT)) + "\n"
    folder = with_points(tmp_path / "r", line + line[: len(line) // 2])
    assert open_folder(folder, resume=True, force=False) == {POINT.key: POINT}
    assert (folder / POINTS).read_text() == line


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        "1",
        "not json",
        '{"image": "a", "unknown": 1}',
        "[" * 100_000,
        json.dumps({**asdict(POINT), "quality": [1]}),
        json.dumps({**asdict(POINT), "psnr": "30"}),
        json.dumps({**asdict(POINT), "image": None}),
    ],
    ids=lambda text: text[-24:],
)
def test_a_points_file_that_is_none(tmp_path: Path, line: str) -> None:
    folder = with_points(tmp_path / "r", line + "\n")
    with pytest.raises(JdcError, match=r"points\.jsonl, line 1: not a point"):
        open_folder(folder, resume=True, force=False)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(OutputError, match="no report can be written there"):
            open_folder(folder, resume=False, force=False)


def test_csv_leaves_cells_empty_for_none(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [{"a": 1, "b": None}, {"a": "x,y", "b": 2}], ("a", "b"))
    assert (tmp_path / "t.csv").read_text() == 'a,b\n1,\n"x,y",2\n'
