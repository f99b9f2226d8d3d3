"""What to do with each photo of a listing, given what the manifest knows: skip it, refuse it, or do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jdcodec.cluster.job import Found, Order, Record, Task
from jdcodec.cluster.manifest import Entry, Manifest

_FINISHED = ("done", "unchanged")


class Planner(Iterator["Task | Record"]):
    """Decides about one photo after the other. exhausted: whether the listing has come to its end.

    Yields a task, or a record that settles the photo: "skipped" (done before), "set aside" (it killed workers
    before), "refused" (another file is in the way) or "failed" (it cannot be listed).
    """

    def __init__(self, found: Iterable[Found], manifest: Manifest, order: Order, *, force: bool) -> None:
        self.exhausted = False
        self._found = iter(found)
        self._manifest, self._order, self._force = manifest, order, force

    def __next__(self) -> Task | Record:
        try:
            found = next(self._found)
        except StopIteration:
            self.exhausted = True
            raise
        if found.problem is not None:
            return _record(found, "failed", found.problem)
        other = self._manifest.claim(found.target, found.source)
        if other == found.source:
            return _record(found, "skipped")
        if other is not None:
            return _record(found, "refused", f"{found.source} and {other} would both become {found.target}")
        entry = self._manifest.entry(found.target)
        if entry is None:
            return self._unknown(found)
        return self._known(found, entry)

    def _unknown(self, found: Found) -> Task | Record:
        if found.target_size is not None and not self._force:
            return _record(found, "refused", f"{found.target}: exists already; --force replaces it")
        return Task(found.source, found.target, found.version)

    def _known(self, found: Found, entry: Entry) -> Task | Record:
        same = found.version is not None and found.version == entry.version
        if entry.state == "set aside":
            if same and entry.key == self._order.program_key:
                reason = f"{found.source}: set aside, since {entry.deaths} workers died while they had it"
                return _record(found, "set aside", reason)
            return Task(found.source, found.target, found.version)
        task = Task(found.source, found.target, found.version, deaths=entry.deaths)
        if found.target_size is None:
            return task
        if not entry.ours:
            return self._unknown(found)
        if entry.state not in _FINISHED:
            return task
        if entry.key != self._order.key:
            if self._force:
                return task
            reason = f"{found.target}: was made with other settings; --force replaces it"
            return _record(found, "refused", reason)
        if found.target_size != entry.bytes:
            return task
        if same:
            return _record(found, "skipped")
        # The date or the place is another; a worker looks whether the content is too.
        return Task(found.source, found.target, found.version, known=entry.sha256)


def _record(found: Found, state: str, error: str | None = None) -> Record:
    record: Record = {"state": state, "input": found.source, "output": found.target}
    return record if error is None else {**record, "error": error}
