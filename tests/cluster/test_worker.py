"""A worker's answers, in this process: each photo gets one, whatever is wrong with it or with the worker."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jdcodec.cluster import worker
from jdcodec.cluster.job import Order, Record, Task
from jdcodec.codec.encoder import encode_photo
from jdcodec.demo.dng import write_dng
from jdcodec.demo.sensor import Sensor
from jdcodec.errors import PhotoError
from jdcodec.photo import read_photo


def _task(source: Path, folder: Path, **more: str) -> Task:
    return Task(str(source), str(folder / source.with_suffix(".jdc").name), **more)  # type: ignore[arg-type]


def _do(order: Order, *tasks: Task) -> list[Record]:
    return worker.work_on(order, tasks)


@pytest.fixture
def photo(photos: Path) -> Path:
    return photos / "photo-001.png"


def test_a_photo_and_a_raw_are_coded_as_by_one_process(photo: Path, order: Order, tmp_path: Path) -> None:
    raw = tmp_path / "raw.dng"
    mosaic = np.random.default_rng(0).integers(600, 9000, (40, 52)).astype(np.uint16)
    write_dng(raw, mosaic, Sensor().dng_tags(iso=800))
    for record, source in zip(_do(order, _task(photo, tmp_path), _task(raw, tmp_path)), (photo, raw)):
        data = (tmp_path / source.with_suffix(".jdc").name).read_bytes()
        assert data == encode_photo(read_photo(source), order.settings)
        assert (record["state"], record["bytes"], record["device"]) == ("done", len(data), "cpu")
        assert record["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_notes_of_the_encoder_are_told_with_those_of_the_photo(
    photo: Path, order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(photo) as image:
        image.putalpha(100)
        image.save(tmp_path / "see-through.png")
    encode = worker._encode

    def noted(*arguments: Any) -> Any:
        return replace(encode(*arguments), notes=("Said by the encoder.",))

    monkeypatch.setattr(worker, "_encode", noted)
    [record] = _do(order, _task(tmp_path / "see-through.png", tmp_path))
    assert record["notes"] == ["Its transparent parts were laid on white.", "Said by the encoder."]


def test_the_same_content_is_not_coded_again(photo: Path, order: Order, tmp_path: Path) -> None:
    known = hashlib.sha256(photo.read_bytes()).hexdigest()
    [record] = _do(order, _task(photo, tmp_path, known=known, version="7"))
    assert (record["state"], record["version"]) == ("unchanged", "7")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", b"\x89PNG\r\n\x1a\n", b"II*\0" + bytes(100), b"\xff\xd8\xff"]
)
def test_hostile_bytes_fail_and_the_others_go_on(
    photo: Path, order: Order, tmp_path: Path, data: bytes
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(data)
    records = _do(order, _task(photo, tmp_path), _task(bad, tmp_path), _task(photo, tmp_path / "again"))
    assert [record["state"] for record in records] == ["done", "failed", "done"]
    assert records[1]["error"].startswith(f"{bad}: ") and "\n" not in records[1]["error"]
    assert not (tmp_path / "bad.jdc").exists()


def test_what_another_worker_may_manage_is_a_fault(
    photo: Path, order: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = _task(tmp_path / "nowhere.png", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    no_folder = _task(photo, tmp_path / "file")
    other_model = replace(order, model_id="00" * 16)
    other_denoiser = replace(order, denoiser="11" * 16)
    gone = replace(order, settings=replace(order.settings, model="/no/such.safetensors"))
    other_version = replace(order, version="0.0")
    for how, task, reason in (
        (order, nowhere, f"{tmp_path}/nowhere.png: No such file or directory"),
        (order, no_folder, f"{tmp_path}/file: cannot be made: File exists"),
        (other_model, _task(photo, tmp_path), "the job's 0000"),
        (other_denoiser, _task(photo, tmp_path), "is none, the job's 1111"),
        (gone, _task(photo, tmp_path), "no model '/no/such.safetensors'"),
        (other_version, _task(photo, tmp_path), "the job is of 0.0"),
    ):
        [record] = _do(how, task)
        assert record["state"] == "fault"
        assert reason in record["error"]
    assert not list(tmp_path.glob("*.jdc"))


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RuntimeError("CUDA error:\nout of memory"), "fault"),
        (MemoryError(), "fault"),
        (PhotoError("too deep"), "failed"),
    ],
)
def test_errors_of_libraries_do_not_take_the_batch_along(
    photo: Path,
    order: Order,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    state: str,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(worker, "_encode", fail)
    records = _do(order, _task(photo, tmp_path), _task(photo, tmp_path))
    assert [record["state"] for record in records] == [state] * 2
    assert all("\n" not in record["error"] for record in records)
