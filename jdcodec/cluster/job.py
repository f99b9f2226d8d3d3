"""What travels between driver and workers: photos to do, how to do them, and what became of each."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from jdcodec.errors import ClusterError

if TYPE_CHECKING:
    from jdcodec.codec.encoder import EncodeSettings
    from jdcodec.photo import ReadOptions

#: One line of the manifest, and of what workers answer; `manifest` documents the fields.
Record = dict[str, Any]


@dataclass(frozen=True)
class Found:
    """A photo in a listing. source, target: paths or URLs. size: bytes, None where the store does not say.

    version: what the store changes whenever the content changes (size and time, or an ETag); None: not known.
    target_size: bytes of what lies at the target, None where nothing does. problem: why it cannot be done.
    """

    source: str
    target: str = ""
    size: int | None = None
    version: str | None = None
    target_size: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Task:
    """A photo to do. known: SHA-256 of the content that the target was made from, with the same settings.

    deaths: workers that died while they had it. tries: how often a worker could not do it for a reason of
    its own; avoid: those workers.
    """

    source: str
    target: str
    version: str | None = None
    known: str | None = None
    deaths: int = 0
    tries: int = 0
    avoid: tuple[str, ...] = ()

    def after_death(self) -> Task:
        """The task after one more worker died with it."""
        return replace(self, deaths=self.deaths + 1)

    def after_fault(self, worker: str) -> Task:
        """The task after a worker, "" for an unknown one, could not do it."""
        return replace(self, tries=self.tries + 1, avoid=(*self.avoid, worker) if worker else self.avoid)


@dataclass(frozen=True)
class Order:
    """How photos are read, coded and written; the same for a whole run.

    stripped: kinds of metadata to leave out. model_id and denoiser: in hexadecimal, what the workers' weights
    must have, and the denoiser for noise without colour beside them, "" for none. version: of jdcodec,
    likewise.
    """

    settings: EncodeSettings
    reading: ReadOptions
    stripped: frozenset[str]
    model_id: str
    denoiser: str
    version: str

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that change with whatever changes the files: settings and model.

        The device is left out: a GPU and a CPU may differ in the last bits, which nobody can see.
        """
        settings = asdict(self.settings)
        del settings["device"], settings["model"]
        facts = [settings, asdict(self.reading), sorted(self.stripped), self.model_id, self.denoiser]
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]

    @property
    def program_key(self) -> str:
        """As `key`, and changes with the version of jdcodec too: what killed one may not kill the next."""
        return f"{self.key}-{self.version}"


def make_order(settings: EncodeSettings, reading: ReadOptions, stripped: frozenset[str]) -> Order:
    """The order for these settings; raises ModelError where there is no such model."""
    from jdcodec import __version__
    from jdcodec.codec.denoisers import luma_denoiser_id
    from jdcodec.codec.weights import find_model, shipped_models

    weights = find_model(settings.model)
    if settings.model not in shipped_models():
        # Workers have a folder of their own that paths begin from.
        settings = replace(settings, model=str(weights.path))
    return Order(settings, reading, stripped, weights.model_id.hex(), luma_denoiser_id(weights), __version__)


@dataclass(frozen=True)
class JobSettings:
    """How the work is shared out.

    scheduler: an address such as tcp://host:8786, or "local" for `workers` processes on this machine.
    batch: photos a task. force: replace outputs that the manifest does not know. max_deaths: workers that a
    photo may kill before it is set aside. max_tries: workers that may fail with it. give_up_after: photos in
    a row that no worker could do, 0 for never. patience: seconds to wait for a scheduler, at the start and
    after it went away.
    """

    scheduler: str
    manifest: str = "jdc-manifest.jsonl"
    workers: int = 1
    batch: int = 8
    force: bool = False
    max_deaths: int = 3
    max_tries: int = 3
    give_up_after: int = 100
    patience: float = 60.0

    def __post_init__(self) -> None:
        if self.batch < 1 or self.workers < 1:
            raise ClusterError("a batch and a cluster have at least one photo and one worker")
        if self.scheduler != "local" and "://" not in self.scheduler:
            raise ClusterError(
                f"{self.scheduler}: is no scheduler; give an address such as tcp://host:8786, or local"
            )
