"""What runs on the machines: a batch of photos, coded with a network that stays warm in the process.

Each photo gets an answer; only the death of the process leaves none. Photos are read through memory, so a
worker needs no disk of its own.
"""

from __future__ import annotations

import hashlib
import io
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from jdcodec import __version__
from jdcodec.cluster import storage
from jdcodec.cluster.job import Order, Record, Task
from jdcodec.errors import JdcError, LimitError, ModelError, OutputError, PhotoError

if TYPE_CHECKING:
    from jdcodec.codec.encoder import Coded
    from jdcodec.photo import Photo


def work_on(order: Order, batch: Sequence[Task]) -> list[Record]:
    """Do a batch; returns a record a photo, in order.

    state "done", "unchanged" (the output was made from the same content before), "failed" (the photo's
    fault, for good) or "fault" (this worker's: another one may manage).
    """
    worker = _address()
    records = []
    # The next photo is read while this one is coded: buckets are slow and networks are not.
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(_fetch, batch[0].source)
        for number, task in enumerate(batch):
            reading = following
            if number + 1 < len(batch):
                following = reader.submit(_fetch, batch[number + 1].source)
            records.append({**_do(order, task, reading), "worker": worker})
    return records


def _fetch(name: str) -> tuple[bytes, float]:
    """All bytes of a photo, and the seconds that took."""
    started = time.perf_counter()
    return storage.read_bytes(name), time.perf_counter() - started


def _do(order: Order, task: Task, reading: Future[tuple[bytes, float]]) -> Record:
    record: Record = {"input": task.source, "output": task.target, "version": task.version}
    try:
        return {**record, **_code(order, task, *reading.result())}
    except (ModelError, OutputError) as error:
        return {**record, "state": "fault", "error": str(error)}
    except JdcError as error:
        state = "fault" if isinstance(error.__cause__, MemoryError) else "failed"
        return {**record, "state": state, "error": str(error)}
    except OSError as error:
        name = error.filename or task.source
        return {**record, "state": "fault", "error": f"{name}: {error.strerror or error}"}
    except Exception as error:
        # A library's own error, as CUDA's out of memory: it must not take the batch's other photos along.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return {**record, "state": "fault", "error": f"{task.source}: {reason}"}


def _code(order: Order, task: Task, data: bytes, fetched: float) -> Record:
    """Code one photo and write it; returns what there is to say about it.

    fetch_seconds (while the photo before was coded), seconds (reading pixels and coding) and write_seconds;
    at: when it was done, in seconds since 1970.
    """
    from jdcodec.photo import read_photo

    _check(order)
    digest = hashlib.sha256(data).hexdigest()
    if digest == task.known:
        return {"state": "unchanged", "sha256": digest}
    started = time.perf_counter()
    file = io.BytesIO(data)
    # RAW formats that share a container are told apart by the name.
    file.name = task.source
    photo = read_photo(file, order.reading)
    coded = _encode(photo, order, task.source)
    finished = time.perf_counter()
    storage.write_atomic(task.target, coded.data)
    return {
        "state": "done",
        "sha256": digest,
        "width": photo.width,
        "height": photo.height,
        "input_bytes": len(data),
        "bytes": len(coded.data),
        "quality": coded.header.quality,
        "denoise": coded.header.denoise,
        "device": _device(order),
        "fetch_seconds": round(fetched, 3),
        "seconds": round(finished - started, 3),
        "write_seconds": round(time.perf_counter() - finished, 3),
        "at": round(time.time(), 3),
        "notes": [*photo.notes, *coded.notes],
    }


def _encode(photo: Photo, order: Order, name: str) -> Coded:
    from dataclasses import replace

    from jdcodec.codec.encoder import code_photo
    from jdcodec.photo.metadata import MetadataBlocks, strip

    kept = strip(MetadataBlocks(photo.exif, photo.xmp, photo.icc), order.stripped)
    try:
        return code_photo(replace(photo, exif=kept.exif, xmp=kept.xmp, icc=kept.icc), order.settings)
    except (LimitError, PhotoError) as error:
        raise type(error)(f"{name}: {error}") from error


def _check(order: Order) -> None:
    """Raises ModelError where this worker would make other files than the job asks for."""
    from jdcodec.codec.denoisers import luma_denoiser_id
    from jdcodec.codec.weights import find_model

    if order.version != __version__:
        raise ModelError(f"this worker has jdcodec {__version__}; the job is of {order.version}")
    model = order.settings.model
    weights = find_model(model)
    found, denoiser = weights.model_id.hex(), luma_denoiser_id(weights)
    if found != order.model_id:
        raise ModelError(f"this worker's model {model} is {found}, the job's {order.model_id}")
    if denoiser != order.denoiser:
        raise ModelError(
            f"this worker's denoiser for noise without colour of {model} is {denoiser or 'none'}, "
            f"the job's {order.denoiser or 'none'}"
        )


def _device(order: Order) -> str:
    """Where the network ran. A GPU takes torch, which `codec.runtime` has then imported."""
    if order.settings.device != "auto":
        return order.settings.device
    torch = sys.modules.get("torch")
    return "cuda" if torch is not None and torch.cuda.is_available() else "cpu"


def _address() -> str:
    """This worker's address; "" outside of one."""
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:
        return ""
