"""Folders and buckets alike, through fsspec: a name is a path of this machine or a URL such as s3://bucket/a.

Every failure is an OSError with one line in `strerror`, whatever the store's own library raises.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jdcodec.atomic import atomic_output
from jdcodec.errors import ClusterError, OutputError

# Where an object appears whole or not at all when it is put; elsewhere a temporary name is needed.
_ATOMIC_PUT = frozenset(
    {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci", "r2", "memory"}
)

# What the stores call the thing that changes whenever the content does, best first.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "mtime", "LastModified", "last_modified", "updated")


def is_url(name: str) -> bool:
    """Whether a name is a URL; all others are paths of this machine."""
    return "://" in name


def open_store(name: str) -> tuple[Any, str]:
    """The fsspec file system that holds `name`, and its path there.

    Listings are never cached: of ten million names they would fill the memory. Raises ClusterError for a
    protocol that is not known, or whose package is not installed.
    """
    import fsspec

    if not is_url(name):
        # A path may hold "::", which in a URL begins another one.
        local = fsspec.filesystem("file")
        return local, str(local._strip_protocol(name))
    try:
        store, path = fsspec.core.url_to_fs(name, use_listings_cache=False)
    except (ImportError, ValueError) as error:
        raise ClusterError(f"{name}: {error}") from error
    return store, str(path)


def canonical(name: str) -> str:
    """The name as every machine understands it: an absolute path, or a URL without a slash at its end."""
    if not is_url(name):
        return str(Path(name).absolute())
    store, path = open_store(name)
    if "file" in _protocols(store):
        return path
    return str(store.unstrip_protocol(path)).rstrip("/")


def join(folder: str, *parts: str) -> str:
    """A name below a folder."""
    return "/".join([folder.rstrip("/"), *(part for part in parts if part)])


def list_folder(name: str) -> dict[str, dict[str, Any]]:
    """What lies in a folder, by name, as fsspec describes it; {} where there is no such folder."""
    store, path = open_store(name)
    with _as_os_error(name):
        try:
            entries = store.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return {}
    own = path.rstrip("/")
    named = ((entry["name"].rstrip("/"), entry) for entry in entries)
    return {full.rsplit("/", 1)[-1]: entry for full, entry in named if full != own}


def describe(name: str) -> dict[str, Any] | None:
    """What fsspec knows about a file or folder; None where there is none."""
    store, path = open_store(name)
    with _as_os_error(name):
        try:
            info: dict[str, Any] = store.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
    return info


def is_file(entry: dict[str, Any]) -> bool:
    """Whether an entry is a file, or a symbolic link to one."""
    if entry.get("islink"):
        return Path(entry["name"]).is_file()
    return bool(entry["type"] == "file")


def version_of(entry: dict[str, Any]) -> str | None:
    """Size and ETag, or size and time: changes whenever the content of a file does."""
    token = next((entry[name] for name in _VERSIONS if entry.get(name) is not None), None)
    return None if token is None else f"{entry.get('size')}:{str(token).strip(chr(34))}"


def read_bytes(name: str) -> bytes:
    """All bytes of a file."""
    store, path = open_store(name)
    with _as_os_error(name):
        data: bytes = store.cat_file(path)
    return data


def write_atomic(name: str, data: bytes) -> None:
    """Write a file whole or not at all, in place of an older one; its folders are made.

    On this machine by a temporary file and a rename, in an object store by one put, which is atomic there,
    and in other remote file systems by a temporary name and a move.
    Raises OutputError or OSError where it cannot be written; nothing is left behind.
    """
    store, path = open_store(name)
    if "file" in _protocols(store):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{Path(path).parent}: cannot be made: {error.strerror}") from error
        with atomic_output(path, force=True) as file:
            file.write(data)
        return
    with _as_os_error(name):
        if _ATOMIC_PUT & _protocols(store):
            store.pipe_file(path, data)
        else:
            _put_and_move(store, path, data)


def _put_and_move(store: Any, path: str, data: bytes) -> None:
    folder, _, last = path.rpartition("/")
    temporary = f"{folder}/.jdc-{secrets.token_hex(8)}.tmp" if folder else f".jdc-{last}.tmp"
    if folder:
        store.makedirs(folder, exist_ok=True)
    try:
        store.pipe_file(temporary, data)
        store.mv(temporary, path)
    except BaseException:
        with contextlib.suppress(Exception):
            store.rm_file(temporary)
        raise


def _protocols(store: Any) -> frozenset[str]:
    names = store.protocol
    return frozenset([names] if isinstance(names, str) else names)


@contextlib.contextmanager
def _as_os_error(name: str) -> Iterator[None]:
    """Turn whatever a store raises into an OSError with one line.

    Each store's library has errors of its own (no credentials, no such bucket, no connection), so there is
    no shorter list to catch.
    """
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None) or errno.EIO
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise OSError(number, reason, name) from error
