"""Files in folders and stores: written whole or not at all, and failures in one line."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jdcodec.cluster import storage
from jdcodec.errors import OutputError


class Remote(MemoryFileSystem):  # type: ignore[misc]
    """A file system that shows a file while it is written, as SFTP does; its disk can be full."""

    protocol = "slowly"
    store: dict[str, Any] = {}  # noqa: RUF012 - fsspec's way
    pseudo_dirs = [""]  # noqa: RUF012
    full = False
    seen: list[str] = []  # noqa: RUF012

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("slowly://", "memory://")))

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        self.seen.append(path)
        super().pipe_file(path, value[:1] if self.full else value, **kwargs)
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def remote() -> type[Remote]:
    fsspec.register_implementation("slowly", Remote, clobber=True)
    Remote.store.clear()
    Remote.full = False
    Remote.seen.clear()
    return Remote


def test_a_path_and_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert storage.canonical("a/b.png") == str(tmp_path / "a/b.png")
    assert storage.canonical(f"file://{tmp_path}/a") == f"{tmp_path}/a"
    assert storage.canonical("s3://bucket/a/") == "s3://bucket/a"


@pytest.mark.parametrize("place", ["", "file://"])
def test_a_local_file_and_its_folders(tmp_path: Path, place: str) -> None:
    name = f"{place}{tmp_path}/deep/er/a.jdc"
    for data in (b"first", b"second"):
        storage.write_atomic(name, data)
        assert storage.read_bytes(name) == data
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["a.jdc"]


def test_an_object_takes_one_put(bucket: str) -> None:
    name = f"{bucket}/deep/er/a.jdc"
    for data in (b"first", b"second"):
        storage.write_atomic(name, data)
        assert storage.read_bytes(name) == data
    assert list(storage.list_folder(f"{bucket}/deep/er")) == ["a.jdc"]


def test_elsewhere_a_file_takes_its_name_when_it_is_whole(remote: type[Remote]) -> None:
    storage.write_atomic("slowly://deep/a.jdc", b"data")
    assert storage.read_bytes("slowly://deep/a.jdc") == b"data"
    assert [name.startswith("/deep/.jdc-") for name in remote.seen] == [True]
    assert list(storage.list_folder("slowly://deep")) == ["a.jdc"]


def test_a_full_remote_disk_leaves_nothing(remote: type[Remote]) -> None:
    storage.write_atomic("slowly://deep/a.jdc", b"old")
    remote.full = True
    with pytest.raises(OSError, match="No space left on device"):
        storage.write_atomic("slowly://deep/a.jdc", b"new")
    assert storage.read_bytes("slowly://deep/a.jdc") == b"old"
    assert list(storage.list_folder("slowly://deep")) == ["a.jdc"]


def test_a_file_where_a_folder_must_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(OutputError, match="a: cannot be made: "):
        storage.write_atomic(str(tmp_path / "a" / "b.jdc"), b"data")


def test_what_is_not_there(tmp_path: Path, bucket: str) -> None:
    for root in (str(tmp_path), bucket):
        assert storage.list_folder(f"{root}/nothing") == {}
        assert storage.describe(f"{root}/nothing") is None
        with pytest.raises(OSError) as caught:
            storage.read_bytes(f"{root}/nothing")
        assert caught.value.strerror and "\n" not in caught.value.strerror
