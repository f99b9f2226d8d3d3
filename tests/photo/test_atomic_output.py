"""Outputs are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from jdcodec.atomic import atomic_output, check_output
from jdcodec.errors import JdcError, OutputError


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_the_name_appears_when_the_content_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with atomic_output(target) as file:
        file.write(b"content")
        file.flush()
        assert not target.exists()
    assert target.read_bytes() == b"content"
    assert names(tmp_path) == ["out.bin"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_output(tmp_path / "out.bin") as file:
            file.write(b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.bin").stat().st_mode) == 0o640


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("permissions", [0o600, 0o400, 0o640, 0o664, 0o666, 0o000])
def test_a_replaced_file_hands_on_its_permissions(tmp_path: Path, permissions: int) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    target.chmod(permissions)
    before = os.umask(0o027)
    try:
        with atomic_output(target, force=True) as file:
            file.write(b"new")
            file.flush()
            (temporary,) = set(tmp_path.iterdir()) - {target}
            # Never more open than the file that it replaces.
            assert mode(temporary) & ~permissions == 0 and mode(temporary) & 0o077 == 0
    finally:
        os.umask(before)
    assert mode(target) == permissions
    target.chmod(0o600)
    assert target.read_bytes() == b"new"


def test_special_bits_are_not_handed_on(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    target.chmod(0o6755)
    with atomic_output(target, force=True) as file:
        file.write(b"new")
    assert mode(target) == 0o755


def test_owner_and_group_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    asked = []
    monkeypatch.setattr(os, "fchown", lambda file, user, group: asked.append((user, group)))
    with atomic_output(target, force=True) as file:
        file.write(b"new")
    old = target.stat()
    assert asked == [(-1, old.st_gid), (old.st_uid, -1)]


@pytest.mark.parametrize(("permissions", "kept"), [(0o660, 0o600), (0o664, 0o644), (0o606, 0o606)])
def test_a_group_that_cannot_be_kept_hands_on_nothing(
    tmp_path: Path, permissions: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: int, user: int, group: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    target.chmod(permissions)
    monkeypatch.setattr(os, "fchown", refuse)
    with atomic_output(target, force=True) as file:
        file.write(b"new")
    assert mode(target) == kept and target.read_bytes() == b"new"


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with (
        pytest.raises(OutputError, match=r"out\.bin: exists already; --force replaces it"),
        atomic_output(target),
    ):
        pytest.fail("the block must not run")
    assert target.read_bytes() == b"old" and names(tmp_path) == ["out.bin"]
    with atomic_output(target, force=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new" and names(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(
    tmp_path: Path, hard_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    target = tmp_path / "out.bin"
    with pytest.raises(OutputError, match="exists already"), atomic_output(target) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs" and names(tmp_path) == ["out.bin"]
    target.unlink()
    with atomic_output(target) as file:
        file.write(b"ours")
    assert target.read_bytes() == b"ours" and names(tmp_path) == ["out.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, JdcError])
@pytest.mark.parametrize("force", [False, True])
def test_an_exception_leaves_nothing(tmp_path: Path, error: type[BaseException], force: bool) -> None:
    target = tmp_path / "out.bin"
    if force:
        target.write_bytes(b"old")
    with pytest.raises(error), atomic_output(target, force=force) as file:
        file.write(b"half")
        raise error
    assert names(tmp_path) == (["out.bin"] if force else [])
    assert not force or target.read_bytes() == b"old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("place", ["write", "fsync"])
def test_a_full_disk(tmp_path: Path, number: int, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    target = tmp_path / "out.bin"
    if place == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"out\.bin: no room left"), atomic_output(target) as file:
        file.write(b"content")
        if place == "write":
            fail(0)
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_device_is_written_to_and_not_replaced() -> None:
    before = Path("/dev/full").stat()
    with pytest.raises(OutputError, match="no room left"), atomic_output("/dev/full") as file:
        file.write(bytes(100_000))
    after = Path("/dev/full").stat()
    assert stat.S_ISCHR(after.st_mode) and (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)
    with atomic_output("/dev/null") as file:
        file.write(b"content")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="open files have no names here")
def test_a_pipe_of_the_shell_is_written_to() -> None:
    """/dev/fd/63 resolves to a name such as pipe:[4711], which is nowhere."""
    reader, writer = os.pipe()
    try:
        with atomic_output(f"/dev/fd/{writer}") as file:
            file.write(b"content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    try:
        with (
            pytest.raises(OutputError, match=rf"/dev/fd/{writer}: cannot be written: Broken pipe"),
            atomic_output(f"/dev/fd/{writer}") as file,
        ):
            file.write(b"content")
    finally:
        os.close(writer)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("force", [False, True])
def test_a_named_pipe_behind_a_link_is_written_to_and_not_replaced(tmp_path: Path, force: bool) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with atomic_output(link, force=force) as file:
            file.write(b"content")
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode) and names(tmp_path) == ["link", "pipe"]


def test_other_errors_of_the_block_are_not_renamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_output(tmp_path / "out.bin"):
        (tmp_path / "another file").read_bytes()
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "cannot be written: Input/output"),
    ],
)
def test_a_folder_that_takes_no_files(
    tmp_path: Path, number: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=message), atomic_output(tmp_path / "out.bin"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"), atomic_output(tmp_path / "out.bin"):
        pytest.fail("the block must not run")


def test_folders_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for check in (check_output, lambda path: atomic_output(path).__enter__()):
        with pytest.raises(OutputError, match="is a folder"):
            check(tmp_path)
        with pytest.raises(OutputError, match=r"no such folder: .*/missing"):
            check(tmp_path / "missing" / "out.bin")
        with pytest.raises(OutputError, match="cannot be written: Not a directory"):
            check(tmp_path / "file" / "out.bin")
        with pytest.raises(OutputError, match="File name too long"):
            check(tmp_path / ("x" * 300))


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with atomic_output(link, force=True) as file:
        file.write(b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_output("out.bin")
    with atomic_output("out.bin") as file:
        file.write(b"content")
    assert names(tmp_path) == ["out.bin"]


def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 255)
    with atomic_output(target) as file:
        file.write(b"content")
    assert target.read_bytes() == b"content"
