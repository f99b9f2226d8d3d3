"""Files that are written whole or not at all.

The decoder, the encoder and everything else that leaves a file behind write through `atomic_output`:
bytes go to a temporary file in the target's folder, which takes the target's name only when it is
complete and on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from jdcodec.errors import OutputError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What file systems without hard links (FAT, exFAT, some network mounts) answer to link(). Windows says EINVAL
# there, and EACCES is a policy against links: the temporary file shows that the folder can be written to.
_NO_HARD_LINKS = (
    *(errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMLINK),
    *(errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS),
)
_TEMPORARY = ".jdc-*.tmp"


def check_output(path: str | Path, *, force: bool = False) -> None:
    """Refuse early what `atomic_output` would refuse, before minutes are spent on the content.

    Raises `OutputError` where `path` is a folder, lies in no folder, or exists and `force` is not set.
    """
    target = Path(path)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.absolute().parent.is_dir():
            raise OutputError(f"{target}: no such folder: {target.absolute().parent}") from None
        return
    except OSError as error:
        raise _output_error(target, error) from error
    if stat.S_ISDIR(mode):
        raise OutputError(f"{target}: is a folder; name a file in it")
    if stat.S_ISREG(mode) and not force:
        raise _exists(target)


@contextlib.contextmanager
def atomic_output(path: str | Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """Yield a binary file whose bytes become `path` when the block ends without an exception.

    The bytes are synced to the disk before the name appears. After any exception, `KeyboardInterrupt`
    included, `path` is as it was and the temporary file is gone. Without `force` an existing file is never
    replaced, not even one that appears while the block runs. A file that is replaced hands on its
    permissions and, as far as this process may, its owner and group; nobody whom it keeps out can read the
    new bytes at any time. A symbolic link is followed; a device or a pipe (`/dev/null`) is written to
    directly, since renaming over it would replace it.

    Raises `OutputError` where the file exists, cannot be created, or the disk is full.
    """
    check_output(path, force=force)
    given = Path(path)
    if given.exists() and not given.is_file():
        # By the name given: a pipe of the shell, such as /dev/fd/63, resolves to a name that is not there.
        with _explained(given), given.open("wb") as device, _disk_full_explained(given):
            yield device
        return
    # The file that a symbolic link names is replaced, as open() would, and not the link.
    target = given.resolve()
    temporary = target.with_name(_TEMPORARY.replace("*", secrets.token_hex(8)))
    file: BinaryIO | None = None
    try:
        with _explained(target):
            old = target.stat() if force and target.exists() else None
            file = _create(temporary, old)
        with _disk_full_explained(target):
            yield file
        with _explained(target):
            file.flush()
            if old is not None:
                _hand_on(old, file.fileno())
            os.fsync(file.fileno())
            file.close()
            _take_name(temporary, target, force)
    except BaseException:
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_leftovers(folder: Path) -> None:
    """Remove what processes left that were killed outright while they wrote into a folder.

    Only for a folder that no other process writes to. What cannot be removed stays.
    """
    for left in folder.glob(_TEMPORARY):
        with contextlib.suppress(OSError):
            left.unlink()


def _create(path: Path, old: os.stat_result | None) -> BinaryIO:
    """A new file, open for writing; where it is to replace `old`, at most as open, and to its owner only."""
    mode = 0o666 if old is None else old.st_mode & 0o600
    return open(path, "xb", opener=lambda name, flags: os.open(name, flags, mode))


def _hand_on(old: os.stat_result, file: int) -> None:
    """Give an open file the group, the permissions and the owner of the one that it replaces.

    Where the group cannot be kept, its permissions go to nobody else: the new group gets those of others.
    What the file system refuses besides leaves the file less open than the old one.
    """
    if not hasattr(os, "fchown"):
        return
    mode = old.st_mode & 0o777
    try:
        os.fchown(file, -1, old.st_gid)
    except OSError:
        mode &= 0o707 | (mode & 0o007) << 3
    with contextlib.suppress(OSError):
        os.fchmod(file, mode)
    with contextlib.suppress(OSError):
        os.fchown(file, old.st_uid, -1)


def _take_name(temporary: Path, target: Path, force: bool) -> None:
    """Give the finished file its name; without `force`, only if the name is still free."""
    if force:
        temporary.replace(target)
        return
    try:
        # A hard link, unlike a rename, fails where the name was taken in the meantime.
        target.hardlink_to(temporary)
    except FileExistsError:
        raise _exists(target) from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _rename(temporary, target)
    else:
        temporary.unlink()


def _rename(temporary: Path, target: Path) -> None:
    """Give the file its name without a link. Where renaming replaces, one that appears just now is lost."""
    if target.exists():
        raise _exists(target) from None
    try:
        temporary.rename(target)
    except FileExistsError:
        # Windows renames over nothing.
        raise _exists(target) from None


@contextlib.contextmanager
def _explained(target: Path) -> Iterator[None]:
    """Turn every `OSError` of our own file operations into an `OutputError`."""
    try:
        yield
    except OSError as error:
        raise _output_error(target, error) from error


@contextlib.contextmanager
def _disk_full_explained(target: Path) -> Iterator[None]:
    """Turn a full disk in the caller's block into an `OutputError`; other errors may be about other files."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise _output_error(target, error) from error


def _exists(target: Path) -> OutputError:
    return OutputError(f"{target}: exists already; --force replaces it")


def _output_error(target: Path, error: OSError) -> OutputError:
    if error.errno in _NO_ROOM:
        return OutputError(f"{target}: no room left on the disk for it")
    if error.errno in (errno.EACCES, errno.EPERM):
        return OutputError(f"{target}: no permission to write there")
    if error.errno == errno.EROFS:
        return OutputError(f"{target}: the disk is read-only")
    return OutputError(f"{target}: cannot be written: {error.strerror or error}")
