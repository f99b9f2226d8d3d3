"""No room on the disk: one line, status 1, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from .conftest import Place, Task
from .processes import limit_file_size, names, standard_output_is_full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, with room for 4 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_full_disk(place: Place, task: Task, small_disk: Path, force: bool) -> None:
    target = small_disk / f"result{task.ending}"
    if force:
        target.write_bytes(b"precious")
    command = place.jdc(*task.command, task.source, "-o", target, *(["--force"] if force else []))
    assert command.wait() == 1
    assert command.said == f"jdc: {target}: no room left on the disk for it\n"
    assert names(small_disk) == ({target.name} if force else set())
    assert not force or target.read_bytes() == b"precious"


def test_a_file_size_limit(place: Place, task: Task) -> None:
    target = place.out / f"result{task.ending}"
    command = place.jdc(*task.command, task.source, "-o", target, prepare=partial(limit_file_size, 2000))
    assert command.wait() == 1
    assert command.said == f"jdc: {target}: no room left on the disk for it\n"
    assert place.left() == set()


def test_full_standard_output(place: Place, task: Task) -> None:
    command = place.jdc(*task.command, task.source, "-o", "-", prepare=standard_output_is_full)
    assert command.wait() == 1
    assert command.said == "jdc: standard output: No space left on device\n"


def test_the_rest_of_a_folder_is_still_written(place: Place, photo: Path, small_disk: Path) -> None:
    """The disk fills up with the first photo's file; the smaller ones behind it still find room."""
    pictures = place.root / "pictures"
    pictures.mkdir()
    (pictures / "a.png").symlink_to(photo)
    small = pictures / "b.ppm"
    small.write_bytes(b"P6 16 16 255 " + bytes(768))
    command = place.jdc("encode", "-q", "8", pictures, "-o", small_disk)
    assert command.wait() == 1
    assert names(small_disk) == {"b.jdc"}
    assert f"{small_disk}/a.jdc: no room left" in command.said
    assert "1 of 2 files failed" in command.said
