"""Which photos of a listing are done: what the manifest and the output folder say decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jdcodec.cluster.job import Found, Order, Record, Task
from jdcodec.cluster.manifest import Manifest
from jdcodec.cluster.planning import Planner

PHOTO = Found("in/a.png", "out/a.jdc", size=10, version="1")
MADE = replace(PHOTO, target_size=5)


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    with Manifest(tmp_path / "manifest.jsonl") as manifest:
        yield manifest


@pytest.fixture
def done(order: Order) -> Record:
    facts = {"version": "1", "sha256": "ab", "bytes": 5, "key": order.key}
    return {"state": "done", "input": PHOTO.source, "output": PHOTO.target, **facts}


def _decide(found: Found, manifest: Manifest, order: Order, *, force: bool = False) -> Task | Record:
    [decision] = Planner([found], manifest, order, force=force)
    return decision


def _state(decision: Task | Record) -> str:
    return "task" if isinstance(decision, Task) else decision["state"]


def test_a_new_photo_is_done(manifest: Manifest, order: Order) -> None:
    assert _decide(PHOTO, manifest, order) == Task("in/a.png", "out/a.jdc", "1")


def test_another_ones_file_is_not_replaced_without_force(manifest: Manifest, order: Order) -> None:
    refused = _decide(MADE, manifest, order)
    assert isinstance(refused, dict)
    assert refused["error"] == "out/a.jdc: exists already; --force replaces it"


def test_force_replaces_it(manifest: Manifest, order: Order) -> None:
    assert _state(_decide(MADE, manifest, order, force=True)) == "task"


def test_a_finished_photo_is_skipped(manifest: Manifest, order: Order, done: Record) -> None:
    manifest.append([done])
    assert _state(_decide(MADE, manifest, order)) == "skipped"


@pytest.mark.parametrize("there", [None, 4])
def test_it_is_done_again_where_the_output_is_gone_or_another(
    manifest: Manifest, order: Order, done: Record, there: int | None
) -> None:
    manifest.append([done])
    task = _decide(replace(MADE, target_size=there), manifest, order)
    assert isinstance(task, Task) and task.known is None


@pytest.mark.parametrize("version", ["2", None])
def test_the_content_decides_where_the_date_is_another(
    manifest: Manifest, order: Order, done: Record, version: str | None
) -> None:
    manifest.append([done])
    assert _decide(replace(MADE, version=version), manifest, order) == Task(
        "in/a.png", "out/a.jdc", version, known="ab"
    )


def test_other_settings_need_force(manifest: Manifest, order: Order, done: Record) -> None:
    manifest.append([done])
    other = replace(order, settings=replace(order.settings, quality=6))
    refused = _decide(MADE, manifest, other)
    assert isinstance(refused, dict)
    assert refused["error"] == "out/a.jdc: was made with other settings; --force replaces it"


def test_they_are_done_with_force(manifest: Manifest, order: Order, done: Record) -> None:
    manifest.append([done])
    other = replace(order, model_id="00" * 16)
    assert _state(_decide(MADE, manifest, other, force=True)) == "task"


def test_what_was_started_is_ours_to_replace(manifest: Manifest, order: Order) -> None:
    manifest.append([{"state": "started", "outputs": [PHOTO.target]}])
    assert _state(_decide(MADE, manifest, order)) == "task"


def test_a_killer_is_tried_again_when_anything_changed(manifest: Manifest, order: Order) -> None:
    facts = {"version": "1", "key": order.program_key, "deaths": 3}
    manifest.append([{"state": "set aside", "input": PHOTO.source, "output": PHOTO.target, **facts}])
    for found, how, state in (
        (PHOTO, order, "set aside"),
        (replace(PHOTO, version="2"), order, "task"),
        (PHOTO, replace(order, version="9.9"), "task"),
        (PHOTO, replace(order, model_id="00" * 16), "task"),
    ):
        assert (
            _state(next(Planner([replace(found, target="out/a.jdc")], manifest, how, force=False))) == state
        )
        with manifest._index:  # forget the claim
            manifest._index.execute("UPDATE photos SET claimed = NULL")


def test_two_photos_for_one_output(manifest: Manifest, order: Order) -> None:
    other = replace(PHOTO, source="more/a.png")
    decisions = list(Planner([PHOTO, other, PHOTO], manifest, order, force=False))
    assert [_state(decision) for decision in decisions] == ["task", "refused", "skipped"]


def test_the_key_changes_with_what_changes_files_alone(order: Order) -> None:
    def with_settings(**changes: object) -> str:
        return replace(order, settings=replace(order.settings, **changes)).key  # type: ignore[arg-type]

    assert with_settings(device="cuda") == with_settings(model="elsewhere") == order.key
    others = [
        with_settings(quality=4),
        with_settings(denoise=0.5),
        replace(order, model_id="00" * 16).key,
        replace(order, stripped=frozenset({"gps"})).key,
        replace(order, reading=replace(order.reading, exposure=1)).key,
    ]
    assert len({order.key, *others}) == 6
