"""File systems without hard links, such as exFAT: files are written all the same, and none is replaced."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jdcodec.atomic import atomic_output
from jdcodec.errors import OutputError


@pytest.fixture(params=["EINVAL", "EPERM", "EACCES", "ENOTSUP", "ENOSYS"])
def no_hard_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """EINVAL is what Windows answers on FAT and exFAT: ERROR_INVALID_FUNCTION."""
    number = getattr(errno, request.param)

    def link(source: str, target: str, **options: object) -> None:
        raise OSError(number, os.strerror(number), source, None, target)

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("no_hard_links")
def test_a_new_file_is_written(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "a.jdc") as file:
        file.write(b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jdc"]
    assert (tmp_path / "a.jdc").read_bytes() == b"content"


@pytest.mark.usefixtures("no_hard_links")
@pytest.mark.parametrize("as_on_windows", [False, True])
def test_a_file_that_appears_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_on_windows: bool
) -> None:
    """Windows refuses to rename over a file, so nothing can come between looking and renaming."""
    target = tmp_path / "a.jdc"

    def rename(source: Path, to: Path) -> None:
        to.write_bytes(b"of another")
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(source), None, str(to))

    if as_on_windows:
        monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OutputError, match=r"a\.jdc: exists already"), atomic_output(target) as file:
        file.write(b"content")
        if not as_on_windows:
            target.write_bytes(b"of another")
    assert target.read_bytes() == b"of another"
    assert [path.name for path in tmp_path.iterdir()] == ["a.jdc"]


def test_another_error_of_a_link_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: str, target: str, **options: object) -> None:
        raise OSError(errno.EIO, "Input/output error", source, None, target)

    monkeypatch.setattr(os, "link", link)
    told = r"a\.jdc: cannot be written: Input/output error"
    with pytest.raises(OutputError, match=told), atomic_output(tmp_path / "a.jdc"):
        pass
    assert list(tmp_path.iterdir()) == []
