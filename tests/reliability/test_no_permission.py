"""A folder that must not be written to: one line, status 1."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Place, Task
from .processes import names


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that refuses writers; as permissions do not hold root back, a read-only disk for root."""
    folder = tmp_path / "read only"
    folder.mkdir()
    if os.getuid():
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)
        return
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], capture_output=True
    ).returncode:
        pytest.skip("this root cannot mount a read-only disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_read_only_folder(place: Place, task: Task, read_only: Path) -> None:
    target = read_only / f"result{task.ending}"
    command = place.jdc(*task.command, task.source, "-o", target)
    assert command.wait() == 1
    reason = "no permission to write there" if os.getuid() else "the disk is read-only"
    assert command.said == f"jdc: {target}: {reason}\n"
    assert names(read_only) == set()


def test_a_new_folder_in_a_read_only_one(place: Place, photo: Path, read_only: Path) -> None:
    """Several inputs go into a folder that is made for them; here it cannot be."""
    other = place.root / "other.png"
    other.symlink_to(photo)
    command = place.jdc("encode", photo, other, "-o", read_only / "new")
    assert command.wait() == 1
    assert "jdc: " in command.said and str(read_only) in command.said
    assert "Traceback" not in command.said
    assert names(read_only) == set()
