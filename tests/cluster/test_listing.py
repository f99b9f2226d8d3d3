"""Photos in folders and buckets: which ones, and what their outputs are called."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from jdcodec.cli.jobs import plan_jobs
from jdcodec.cluster.job import Found
from jdcodec.cluster.listing import find_photos
from jdcodec.errors import ClusterError, PhotoError
from jdcodec.photo.endings import PHOTO_ENDINGS

NAMES = ("b.NEF", "b.JPG", "a.png", "notes.txt", ".hidden.png", "deep/er/c.dng", ".cache/d.png", "b.jpg.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in NAMES:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "broken.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "folder.png").mkdir()
    return tmp_path / "in"


def _find(*inputs: str | Path, to: str | Path | None = None, recursive: bool = True) -> list[Found]:
    output = None if to is None else str(to)
    return list(find_photos([*map(str, inputs)], output, endings=PHOTO_ENDINGS, recursive=recursive))


@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("beside", [False, True])
def test_the_same_photos_and_names_as_without_a_cluster(folder: Path, recursive: bool, beside: bool) -> None:
    output = None if beside else str(folder.parent / "out")
    jobs = plan_jobs([str(folder)], output, suffix=".jdc", endings=PHOTO_ENDINGS, recursive=recursive)
    found = _find(folder, to=output, recursive=recursive)
    assert {(each.source, each.target or each.source) for each in found} == {
        (job.source, job.target) for job in jobs
    }
    problems = {each.problem for each in found} - {None}
    assert problems == {job.problem for job in jobs} - {""} == {f"{folder}/broken.png: is a link to nothing"}


def test_files_that_are_named_outright_have_the_same_names_too(folder: Path, tmp_path: Path) -> None:
    files = [str(folder / name) for name in ("b.NEF", "b.JPG", "a.png", "a.png")]
    for output in (None, str(tmp_path / "out")):
        jobs = plan_jobs(files, output, suffix=".jdc", endings=PHOTO_ENDINGS, recursive=False)
        found = _find(*files, to=output)
        assert [(each.source, each.target) for each in found] == [(job.source, job.target) for job in jobs]
        assert len(found) == 3


def test_names_that_some_disks_take_for_one_are_kept_apart(folder: Path) -> None:
    (folder / "A.png").write_bytes(b"x")
    if len([path for path in folder.iterdir() if path.name.lower() == "a.png"]) == 1:
        pytest.skip("this disk takes no account of case")
    jobs = plan_jobs([str(folder)], None, suffix=".jdc", endings=PHOTO_ENDINGS, recursive=False)
    found = _find(folder, recursive=False)
    assert {(each.source, each.target or each.source) for each in found} == {
        (job.source, job.target) for job in jobs
    }
    names = {Path(each.source).name: Path(each.target).name for each in found}
    assert (names["A.png"], names["a.png"]) == ("A.png.jdc", "a.png-2.jdc")


def test_pictures_that_are_not_read_are_counted(folder: Path) -> None:
    for name in ("c.jp2", "deep/d.JP2", "deep/er/e.jxl", ".f.jp2", "g.xmp"):
        (folder / name).touch()
    passed_over: Counter[str] = Counter()
    found = find_photos([str(folder)], None, endings=PHOTO_ENDINGS, recursive=True, passed_over=passed_over)
    assert sum(each.problem is None for each in found) == 6
    assert passed_over == {".jp2": 2, ".jxl": 1}


def test_what_lies_at_an_output_is_known(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "out" / "a.jdc").write_bytes(b"12345")
    (tmp_path / "out" / "deep" / "er" / "c.jdc").mkdir()
    found = {Path(each.source).name: each for each in _find(folder, to=tmp_path / "out")}
    assert found["a.png"].target_size == 5 and found["a.png"].size == 10
    assert found["link.png"].target_size is None
    assert found["c.dng"].problem == f"{tmp_path / 'out/deep/er/c.jdc'}: is a folder"


def test_the_version_changes_with_the_file(folder: Path) -> None:
    [before] = _find(folder / "a.png")
    os.utime(folder / "a.png", (1, 1))
    [after] = _find(folder / "a.png")
    assert before.version is not None and after.version is not None and before.version != after.version
    assert before.target == str(folder / "a.jdc")


def test_a_folder_is_listed_when_its_turn_comes(folder: Path) -> None:
    photos = find_photos([str(folder)], None, endings=PHOTO_ENDINGS, recursive=True)
    next(photos)
    (folder / "deep" / "er" / "late.png").write_bytes(b"x")
    assert "late.png" in {Path(each.source).name for each in photos}


def test_a_bucket(bucket: str) -> None:
    import fsspec

    store = fsspec.filesystem("s3")
    for name in ("in/b.png", "in/deep/a.png", "in/deep/a.JPG", "in/.hidden/c.png", "out/deep/a.png.jdc"):
        store.pipe_file(f"{bucket}/{name}", b"12345678")
    found = _find(f"{bucket}/in", to=f"{bucket}/out/")
    places = [(each.source.removeprefix(bucket), each.target.removeprefix(bucket)) for each in found]
    assert places == [
        ("/in/b.png", "/out/b.jdc"),
        ("/in/deep/a.JPG", "/out/deep/a.JPG.jdc"),
        ("/in/deep/a.png", "/out/deep/a.png.jdc"),
    ]
    assert [each.target_size for each in found] == [None, None, 8]
    assert {each.version for each in found} == {"8:25d55ad283aa400af464c76d713c07ad"}  # MD5 of the bytes


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("nowhere", PhotoError, "no such file or folder"),
        ("nosuch://bucket/a", ClusterError, "nosuch"),
        ("s3://no-such-bucket-at-all/a", PhotoError, ""),
    ],
)
def test_an_input_that_is_not_there(s3: str, name: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error) as caught:
        _find(name)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
