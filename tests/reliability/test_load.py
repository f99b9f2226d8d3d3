"""Many photos through one process: its memory stays flat. 8 threads: the bytes of one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec

from .conftest import Place
from .processes import note_memory, soak_count

#: Bytes that a run may take more in its second half than in its first quarter.
SLACK = 8 << 20


def assert_memory_is_flat(place: Place, command: str, source: Path, target: Path, count: int) -> None:
    """Run `command` on the `count` files of a folder; its memory is noted with each file that it finishes."""
    notes = place.root / f"{command}.txt"
    run = place.jdc(command, source, "-o", target, "--quiet", prepare=partial(note_memory, str(notes)))
    assert run.wait() == 0, run.said
    sizes = [int(line) for line in notes.read_text().splitlines()]
    assert len(sizes) == count == len(list(target.iterdir()))
    early, late = max(sizes[: count // 4]), max(sizes[count // 2 :])
    print(f"{command}, {count} files: {early / 2**20:.1f} MiB at first, {late / 2**20:.1f} MiB later")
    assert late - early < SLACK


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc to read a process's memory from")
def test_memory_is_flat(place: Place, make_picture: PictureMaker) -> None:
    """There and back, sizes varied so that no two neighbours are alike."""
    count = soak_count(40)
    photos, coded = place.root / "photos", place.root / "coded"
    photos.mkdir(), coded.mkdir()
    for number in range(count):
        height, width = 40 + 37 * number % 60, 50 + 53 * number % 70
        Image.fromarray(make_picture(height, width, number)).save(photos / f"{number:04}.png")
    assert_memory_is_flat(place, "encode", photos, coded, count)
    assert_memory_is_flat(place, "decode", coded, place.out, count)


def test_eight_threads_give_the_bytes_of_one(make_picture: PictureMaker, tiny_model: Path) -> None:
    model = str(tiny_model)
    pictures = [make_picture(60 + 10 * number, 90, number) for number in range(8)]

    def there_and_back(number: int) -> tuple[bytes, bytes]:
        data = jdcodec.encode(pictures[number % 8], quality=1 + number % 8, model=model)
        return data, jdcodec.decode(data, model=model).tobytes()

    alone = [there_and_back(number) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(there_and_back, range(soak_count(24))))
    for number, result in enumerate(together):
        assert result == alone[number % 8]
    assert len({data for data, _ in alone}) == 8
    assert np.frombuffer(alone[0][1], np.uint8).size == 60 * 90 * 3
