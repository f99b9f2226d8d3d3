"""The manifest: what has become of every photo, as JSON lines, so that a run goes on where another ended.

Each line is an object with "state"; the last line about an output counts.

    manifest    the first line: "jdc_manifest" is 1
    run         settings of a run: "key" changes whenever they or the model do; "at": when it began
    started     "outputs": handed to a worker; none of them was there, or this job made it
    done        input, output, version, sha256 (of the input), bytes, key, and figures
    unchanged   as done: looked at again, and the content was the same
    failed      with "error"; the next run tries again
    refused     with "error"; another file is in the way of its output
    died        a worker died with it; "deaths" counts
    set aside   it killed too many workers; tried again only when it changes, with other settings or by
                another version of jdc ("key" holds both)

What is needed of ten million lines goes into a temporary SQLite file, so memory does not grow with them.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from jdcodec.cluster.job import Record
from jdcodec.errors import ClusterError

_HEADER: Record = {"state": "manifest", "jdc_manifest": 1}
_FIRST_LINE = (json.dumps(_HEADER) + "\n").encode()
_MAX_LINE = 1 << 22
_SYNC = 1.0  # seconds between two waits for the disk, which takes its time
_TABLE = """
CREATE TABLE photos (output TEXT PRIMARY KEY, input TEXT, state TEXT, version TEXT, sha256 TEXT,
                     bytes INTEGER, key TEXT, deaths INTEGER, ours INTEGER, claimed TEXT) WITHOUT ROWID
"""
# A later line leaves alone what it does not know: a failure does not change whose file lies there.
_UPDATE = """
INSERT INTO photos VALUES (:output, :input, :state, :version, :sha256, :bytes, :key, :deaths, :ours, NULL)
ON CONFLICT (output) DO UPDATE SET input = coalesce(excluded.input, input), state = excluded.state,
version = coalesce(excluded.version, version), sha256 = coalesce(excluded.sha256, sha256),
bytes = coalesce(excluded.bytes, bytes), key = coalesce(excluded.key, key),
deaths = coalesce(excluded.deaths, deaths), ours = max(excluded.ours, ours)
"""
_TEXTS = ("input", "output", "version", "sha256", "key")
_NUMBERS = ("bytes", "deaths")


@dataclass(frozen=True)
class Entry:
    """The last that is known about an output. ours: it was made by a run with this manifest, if it exists."""

    state: str
    version: str | None
    sha256: str | None
    bytes: int | None
    key: str | None
    deaths: int
    ours: bool


class Manifest:
    """A manifest that is open for one run, and for no other at the same time; use it in a `with`.

    Raises ClusterError where the file is in use, cannot be written, or is no manifest; it is then left alone.
    A last line that was cut short, as by a power failure, is dropped. A file that was not there before,
    and that nothing was appended to, is removed at the end.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._synced = 0.0
        self._index = sqlite3.connect("")  # a temporary file, which goes with the connection
        self._index.execute(_TABLE)
        self._file = self._open()
        try:
            self._load()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, which lets others use it; one that was made for nothing goes again."""
        with contextlib.suppress(OSError):
            # While the lock still holds, so that no other run has it by now.
            if self._is_new and os.fstat(self._file.fileno()).st_size == len(_FIRST_LINE):
                self.path.unlink()
            os.fsync(self._file.fileno())
        self._file.close()
        self._index.close()

    def append(self, records: Iterable[Record]) -> None:
        """Add lines: after them even kill −9 loses nothing, and a power failure no more than a second.

        An output whose lines a power failure took is refused by the next run, as another's file; never lost.
        """
        records = list(records)
        if not records:
            return
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        with _explained(self.path):
            self._file.write(lines.encode("utf-8", "surrogateescape"))
            self._file.flush()
            if time.monotonic() - self._synced > _SYNC:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        self._note(records)

    def entry(self, output: str) -> Entry | None:
        """What is known about an output."""
        row = self._index.execute(
            "SELECT state, version, sha256, bytes, key, deaths, ours FROM photos "
            "WHERE output = ? AND state IS NOT NULL",
            [_text(output)],
        ).fetchone()
        if row is None:
            return None
        state, version, sha256, size, key, deaths, ours = row
        return Entry(state, version, sha256, size, key, deaths or 0, bool(ours))

    def claim(self, output: str, source: str) -> str | None:
        """Note that an input wants an output in this run; returns the other one that came first, if any."""
        row = self._index.execute("SELECT claimed FROM photos WHERE output = ?", [_text(output)]).fetchone()
        if row is not None and row[0] is not None:
            return str(row[0])
        self._index.execute(
            "INSERT INTO photos (output, claimed, ours) VALUES (?, ?, 0) "
            "ON CONFLICT (output) DO UPDATE SET claimed = excluded.claimed",
            [_text(output), _text(source)],
        )
        return None

    def _open(self) -> BinaryIO:
        with _explained(self.path):
            if self.path.exists() and not self.path.is_file():
                raise ClusterError(f"{self.path}: is no file; a manifest is one, on this machine")
            self._is_new = not self.path.exists()
            file = self.path.open("a+b")
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:
            pass  # Windows has no such lock
        except OSError as error:
            file.close()
            raise ClusterError(f"{self.path}: another run is using this manifest") from error
        return file

    def _load(self) -> None:
        with _explained(self.path):
            self._file.seek(0)
            first = self._file.readline(_MAX_LINE)
            if _FIRST_LINE.startswith(first) and first != _FIRST_LINE:
                # New, or cut short within its first line.
                self._file.truncate(0)
                self._file.write(_FIRST_LINE)
                self._file.flush()
                return
            if _parse(first, self.path, 1).get("jdc_manifest") != 1:
                raise ClusterError(f"{self.path}: is no manifest of this version of jdc")
            lines = self._lines()
            while chunk := list(itertools.islice(lines, 10_000)):
                self._note(chunk)

    def _lines(self) -> Iterator[Record]:
        """The lines after the first; what follows the last line end is cut off."""
        for number in itertools.count(2):
            start = self._file.tell()
            line = self._file.readline(_MAX_LINE)
            if not line.endswith(b"\n"):
                if len(line) == _MAX_LINE:
                    raise ClusterError(f"{self.path}: line {number} is too long for a manifest")
                self._file.truncate(start)
                return
            yield _parse(line, self.path, number)

    def _note(self, records: Iterable[Record]) -> None:
        rows = itertools.chain.from_iterable(map(_rows, records))
        with self._index:
            self._index.executemany(_UPDATE, rows)


def _rows(record: Record) -> Iterator[Record]:
    """What the index keeps of a line: a row for each output. What was refused changes nothing."""
    state = record["state"]
    if state == "refused":
        return
    ours = state in ("started", "done", "unchanged")
    if state == "started":
        facts: Record = {**dict.fromkeys((*_TEXTS, *_NUMBERS)), "state": state, "ours": ours}
        yield from ({**facts, "output": _text(output)} for output in record["outputs"])
    elif record.get("output"):
        row: Record = {name: _text(record.get(name)) for name in _TEXTS}
        row |= {name: record.get(name) for name in _NUMBERS}
        if state in ("done", "unchanged"):
            row["deaths"] = 0
        yield {**row, "state": state, "ours": ours}


def _text(value: str | None) -> str | None:
    """SQLite takes no lone surrogates, which is how Python holds file names that are not UTF-8."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _parse(line: bytes, path: Path, number: int) -> Record:
    """One line, checked as far as it is used."""
    try:
        record = json.loads(line.decode("utf-8", "surrogateescape"))
        outputs = record.get("outputs", [])
        good = isinstance(record["state"], str) and isinstance(outputs, list)
        good = good and all(isinstance(output, str) for output in outputs)
        good = good and all(isinstance(record.get(name), str | None) for name in _TEXTS)
        good = good and all(_is_count(record.get(name)) for name in _NUMBERS)
        good = good and (record["state"] != "started" or "outputs" in record)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        good = False
    if not good:
        raise ClusterError(f"{path}: line {number} is not one of a manifest; is it another file?")
    return dict(record)


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and 0 <= value < 1 << 62)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ClusterError(f"{path}: the manifest cannot be used: {error.strerror or error}") from error
