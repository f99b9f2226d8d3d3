"""Several inputs: which outputs they get, what is skipped, what the last line says, and Ctrl-C."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.cli.jobs import Job, plan_jobs
from jdcodec.cli.progress import Done, Tally
from jdcodec.cli.running import run_jobs
from jdcodec.codec import runtime
from jdcodec.errors import OutputError, PhotoError
from jdcodec.inference import on_openvino
from jdcodec.photo.endings import PHOTO_ENDINGS

from .command import jdc


def plan(*inputs: Path, output: Path | None = None, recursive: bool = False) -> dict[str, str]:
    jobs = plan_jobs(
        [str(path) for path in inputs],
        str(output) if output else None,
        suffix=".jdc",
        endings=PHOTO_ENDINGS,
        recursive=recursive,
    )
    return {job.source: job.target for job in jobs}


def touch(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_a_tree_is_mirrored_and_hidden_files_are_left_out(tmp_path: Path) -> None:
    top, deep = touch(tmp_path / "in", "a.jpg", "2024/may/b.NEF")
    touch(tmp_path / "in", "._a.jpg", ".trash/c.jpg", "notes.txt", "a.jdc")
    out = tmp_path / "out"
    expected = {str(top): str(out / "a.jdc"), str(deep): str(out / "2024/may/b.jdc")}
    assert plan(tmp_path / "in", output=out, recursive=True) == expected
    assert plan(tmp_path / "in", output=out) == {str(top): str(out / "a.jdc")}


def test_raw_and_jpeg_of_one_shot_both_get_an_output(tmp_path: Path) -> None:
    touch(tmp_path, "a.NEF", "a.JPG", "b.NEF")
    assert {Path(target).name for target in plan(tmp_path).values()} == {"a.NEF.jdc", "a.JPG.jdc", "b.jdc"}


def test_no_two_inputs_share_an_output(tmp_path: Path) -> None:
    # a.NEF.png alone would become a.NEF.jdc, as a.NEF does beside a.JPG.
    touch(tmp_path, "a.NEF", "a.JPG", "a.NEF.png")
    targets = {Path(source).name: Path(target).name for source, target in plan(tmp_path).items()}
    assert targets == {"a.NEF": "a.NEF.jdc", "a.JPG": "a.JPG.jdc", "a.NEF.png": "a.NEF.png.jdc"}
    first, second = touch(tmp_path, "x/a.jpg", "y/a.jpg")
    with pytest.raises(OutputError, match="would both become"):
        plan(first.parent, second.parent, output=tmp_path / "out")


def test_an_input_named_twice_counts_once(tmp_path: Path) -> None:
    (path,) = touch(tmp_path, "a.jpg")
    assert plan(path, tmp_path, path) == {str(path): str(tmp_path / "a.jdc")}


def refuse_to_list(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one folder be unreadable, for the superuser too."""
    usual = os.scandir

    def scandir(path: str) -> object:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_to_list(tmp_path, monkeypatch)
    with pytest.raises(PhotoError, match="Permission denied"):
        plan(tmp_path)


def test_a_folder_below_that_cannot_be_read_is_reported_and_stops_nothing(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "in", "locked/b.png")
    Image.fromarray(make_picture(32, 32)).save(tmp_path / "in" / "a.png")
    refuse_to_list(tmp_path / "in" / "locked", monkeypatch)
    result = jdc("encode", tmp_path / "in", "-o", tmp_path / "out", "-r", "--model", tiny_model)
    assert result.exit_code == 1 and (tmp_path / "out" / "a.jdc").exists()
    assert f"{tmp_path / 'in' / 'locked'}: Permission denied" in result.stderr


def test_links_make_no_loops(tmp_path: Path) -> None:
    (path,) = touch(tmp_path / "in", "deep/a.jpg")
    (path.parent / "up").symlink_to("..")
    (path.parent / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "in" / "b.jpg").symlink_to(path)
    found = plan(tmp_path / "in", output=tmp_path / "out", recursive=True)
    # The link to itself is told as one that leads nowhere.
    assert {Path(target).name for target in found.values()} == {"a.jdc", "b.jdc", "self.jpg"}


def test_a_folder_with_one_photo_is_mirrored_too(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    touch(tmp_path / "in" / "deep", "notes.txt")
    Image.fromarray(make_picture(32, 32)).save(tmp_path / "in" / "deep" / "a.png")
    arguments = ("-o", tmp_path / "out", "--recursive", "--model", tiny_model)
    assert jdc("encode", tmp_path / "in", *arguments).exit_code == 0
    assert (tmp_path / "out" / "deep" / "a.jdc").exists()


def test_decoding_a_folder_goes_on_where_it_was(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    for name in ("a", "b"):
        path = tmp_path / "in" / name / "photo.png"
        path.parent.mkdir(parents=True)
        Image.fromarray(make_picture(32, 32)).save(path)
    assert jdc("encode", tmp_path / "in", "-r", "--model", tiny_model).exit_code == 0
    arguments = ("decode", tmp_path / "in", "-o", tmp_path / "out", "-r", "--update", "--model", tiny_model)
    first = jdc(*arguments)
    assert first.exit_code == 0 and first.output.splitlines()[-1].startswith("2 photos, 0.")
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.png")} == {"a", "b"}
    assert jdc(*arguments).output == "2 up to date\n"
    (tmp_path / "out" / "b" / "photo.png").unlink()
    assert "1 photo, " in jdc(*arguments).output


def test_the_network_is_built_once_for_a_folder(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        Image.fromarray(make_picture(32, 32)).save(tmp_path / f"{name}.png")
    built: list[object] = []

    class Noted(on_openvino.Network):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            built.append(self)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(runtime, "_networks", {})
    monkeypatch.setattr(on_openvino, "Network", Noted)
    assert jdc("encode", tmp_path, "--model", tiny_model).exit_code == 0
    assert len(built) == 1


def test_update_skips_what_is_newer_and_replaces_what_is_older(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    for name in ("a", "b"):
        Image.fromarray(make_picture(32, 32)).save(tmp_path / f"{name}.png")
    arguments = ("encode", tmp_path, "--update", "--model", tiny_model)
    first = jdc(*arguments)
    assert first.exit_code == 0 and "2 photos, " in first.output
    assert jdc(*arguments).output == "2 up to date\n"
    a, b = tmp_path / "a.jdc", tmp_path / "b.jdc"
    b.write_bytes(b"old")
    os.utime(b, (1, 1))
    before = a.stat().st_mtime_ns
    again = jdc(*arguments)
    assert again.exit_code == 0 and "1 photo, " in again.output and "1 up to date" in again.output
    assert b.read_bytes() != b"old" and a.stat().st_mtime_ns == before


def test_a_failure_stops_no_other_photo(tmp_path: Path, tiny_model: Path, make_picture: PictureMaker) -> None:
    Image.fromarray(make_picture(32, 32)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    result = jdc("encode", tmp_path, "--model", tiny_model)
    assert result.exit_code == 1 and (tmp_path / "good.jdc").exists()
    assert "1 photo, " in result.output
    assert "bad.png: is not an image" in result.stderr and "jdc: 1 of 2 files failed" in result.stderr


def test_ctrl_c_says_how_far_it_came(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    jobs = [Job(str(tmp_path / name), str(tmp_path / f"{name}.jdc")) for name in "abc"]

    def work(job: Job) -> Done:
        if job.source.endswith("c"):
            raise KeyboardInterrupt
        return Done(1, 1, 1)

    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, work, quiet=False)
    assert "interrupted after 2 of 3 files" in capsys.readouterr().err


def test_the_last_line() -> None:
    tally = Tally(started=0.0)
    assert str(tally) == ""
    tally.add(Done(12_000_000, 20_000_000, 1_000_000))
    tally.add(Done(12_000_000, 20_000_000, 1_000_000))
    tally.skip(1)
    tally.add(None)
    line = str(tally)
    assert line.startswith("2 photos, 40 MB to 2.00 MB (95% saved), ") and line.endswith("MP/s, 1 up to date")
    larger = Tally()
    larger.add(Done(100, 1000, 1500))
    assert "(50% more)" in str(larger)
    decoded = Tally()
    decoded.add(Done(100, bytes_out=1500))
    assert str(decoded).startswith("1 photo, 0.00 MB, ")


@pytest.mark.parametrize("name", ["album.jdc", "all.PNG", "x.nef"])
def test_several_inputs_do_not_make_a_folder_named_as_a_file(name: str, tmp_path: Path) -> None:
    """A shell's pattern easily names more files than one meant."""
    photos = touch(tmp_path / "in", "a.jpg", "b.jpg")
    with pytest.raises(OutputError, match="several inputs need a folder to go to"):
        plan(*photos, output=tmp_path / name)
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    assert len(plan(*photos, output=tmp_path / name)) == 2
    assert (
        len(
            plan_jobs(
                [str(photo) for photo in photos],
                f"{tmp_path}/new.jdc/",
                suffix=".jdc",
                endings=PHOTO_ENDINGS,
                recursive=False,
            )
        )
        == 2
    )


def test_links_to_nothing_and_pipes_fail_and_are_named(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    Image.fromarray(make_picture(32, 32)).save(folder / "a.png")
    (folder / "lost.png").symlink_to("nowhere")
    (folder / "good.png").symlink_to("a.png")
    (folder / "lost.txt").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.jpg")
    result = jdc("encode", folder, "-o", output, "--model", tiny_model)
    assert result.exit_code == 1
    assert sorted(path.name for path in output.iterdir()) == ["a.jdc", "good.jdc"]
    assert result.stderr.splitlines() == [
        f"jdc: {folder}/lost.png: is a link to nothing",
        f"jdc: {folder}/pipe.jpg: is no file, but a pipe or a device",
        "jdc: 2 of 4 files failed",
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_no_folder_stays_where_there_is_nothing_in_it(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker, workers: int
) -> None:
    folder, output = tmp_path / "in", tmp_path / "some" / "out"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "deep/b.png"):
        Image.fromarray(make_picture(32, 32)).save(folder / name)
    command = ("encode", folder, "-r", "-o", output, "--model", tiny_model, "--workers", workers)
    assert jdc(*command, "--target-size", 10).exit_code == 1
    assert not (tmp_path / "some").exists()
    (folder / "deep" / "b.png").write_bytes(b"nonsense")
    assert jdc(*command).exit_code == 1
    assert [path.name for path in output.rglob("*")] == ["a.jdc"]
    # One that was there stays, empty or not.
    (tmp_path / "there").mkdir()
    jdc("encode", folder / "a.png", "-o", tmp_path / "there", "--target-size", 10)
    assert (tmp_path / "there").is_dir()


def test_a_folder_named_twice_is_told_of_once(
    tmp_path: Path, tiny_model: Path, make_picture: PictureMaker
) -> None:
    Image.fromarray(make_picture(32, 32)).save(tmp_path / "a.png")
    (tmp_path / "b.jxl").touch()
    result = jdc("encode", tmp_path, tmp_path, "--model", tiny_model)
    assert result.exit_code == 0
    assert result.stderr == "jdc: passed over: 1 .jxl, which jdc does not read\n"
