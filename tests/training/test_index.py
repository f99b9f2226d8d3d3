"""An index holds each crop's bytes and MS-SSIM; one that is damaged or for other data is refused."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jdcodec.errors import JdcError, OutputError, TrainingError
from jdcodec.training.index import CROPS_NAME, INDEX_NAME, PairIndex, write_index
from jdcodec.training.pairs import find_pairs

from .samples import LIFT, write_pairs


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three lightly noisy pairs and a heavily noisy one, two crops of each."""
    root = tmp_path_factory.mktemp("indexed")
    make(write_pairs(root / "pairs"), root / "index")
    return root / "index"


def make(pairs: Path, out: Path, crop: int = 192, **options: int) -> int:
    return write_index(*find_pairs(pairs), out, crop=crop, **options)


def draw(index: PairIndex, batch: int = 16, size: int = 64, seed: int = 0) -> tuple[torch.Tensor, ...]:
    return index.draw(batch, size, torch.Generator().manual_seed(seed), torch.device("cpu"))


def test_every_crop_has_its_line(indexed: Path) -> None:
    index = PairIndex.open(indexed)
    assert (len(index), index.crop, index.targets) == (8, 192, "clean")
    assert [(row.top, row.left) for row in index.rows[:2]] == [(0, 0), (0, 192)]
    scores = [row.ms_ssim for row in index.rows]
    assert min(scores[:6]) > 0.9 and max(scores[6:]) < 0.3
    noisy, clean = index.pair(3)
    assert torch.equal(noisy.int() - clean.int(), torch.full((192, 192, 3), LIFT, dtype=torch.int32))
    with Image.open(index.rows[3].clean) as image:
        assert np.array_equal(clean.numpy(), np.asarray(image)[:192, 192:384])


def test_crops_are_drawn_with_their_partners(indexed: Path) -> None:
    index = PairIndex.open(indexed).select(0.9)
    noisy, clean = draw(index)
    assert noisy.shape == clean.shape == (16, 3, 64, 64)
    torch.testing.assert_close(noisy - clean, torch.full_like(noisy, LIFT / 255))
    assert torch.equal(draw(index)[0], noisy)
    assert not torch.equal(draw(index, seed=1)[0], noisy)
    assert draw(index, 2, 192)[0].shape == (2, 3, 192, 192)


def test_thresholds_choose_crops(indexed: Path) -> None:
    index = PairIndex.open(indexed)
    assert (len(index.select(0.0)), len(index.select(0.8))) == (8, 6)
    with pytest.raises(TrainingError, match="no pair has an MS-SSIM of 2 or more; the best has"):
        index.select(2.0)


def test_scenes_are_held_out_whole(indexed: Path) -> None:
    kept, held_out = PairIndex.open(indexed).hold_out(2)
    assert (len(kept), len(held_out)) == (4, 4)
    scenes = [{part.rows[place].scene for place in part.places} for part in (kept, held_out)]
    assert not scenes[0] & scenes[1]


def test_few_crops_of_a_pair_are_spread(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=1, heavy=0)
    assert make(pairs, tmp_path / "index", per_pair=1) == 1
    assert PairIndex.open(tmp_path / "index").rows[0].left == 192


def test_pairs_of_different_sizes(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=2, heavy=0)
    Image.new("RGB", (400, 191)).save(pairs / "1_noisy.png")
    with pytest.raises(TrainingError, match=r"1_noisy\.png and 1_clean\.png are .* sizes, 400 × 191 and"):
        make(pairs, tmp_path / "index")
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_an_unreadable_picture(content: bytes, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=2, heavy=0)
    (pairs / "1_clean.png").write_bytes(content)
    with pytest.raises(TrainingError, match=r"1_clean\.png: cannot be read as a picture"):
        make(pairs, tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_a_picture_cut_short_leaves_nothing(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=2, heavy=0)
    with Image.open(pairs / "1_noisy.png") as image:
        image.save(pairs / "1_noisy.jpg")
    (pairs / "1_noisy.png").unlink()
    data = (pairs / "1_noisy.jpg").read_bytes()
    (pairs / "1_noisy.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(TrainingError, match=r"1_noisy\.jpg: cannot be read"):
        make(pairs, tmp_path / "index")
    assert list((tmp_path / "index").iterdir()) == []


def test_a_full_disk_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1))
    with pytest.raises(TrainingError, match=r"needs 0\.0 GB and the disk has 0\.0; take fewer"):
        make(write_pairs(tmp_path / "pairs", 1, 0), tmp_path / "index")
    assert list((tmp_path / "index").iterdir()) == []


def test_an_index_is_not_replaced_unasked(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs", light=1, heavy=0)
    make(pairs, tmp_path / "index")
    with pytest.raises(OutputError, match="exists already"):
        make(pairs, tmp_path / "index")
    write_index(*find_pairs(pairs), tmp_path / "index", crop=192, force=True)


@pytest.mark.parametrize("crop", [0, 64, 128, 200, -192, 1 << 20])
def test_a_crop_that_cannot_be(crop: int, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="must be a multiple of 64"):
        write_index("pairs", [], tmp_path, crop=crop)


def test_pictures_too_small(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pair has 256 pixels a side"):
        make(write_pairs(tmp_path / "pairs", 1, 0), tmp_path / "index", crop=256)


def changed(indexed: Path, folder: Path) -> tuple[Path, dict[str, object], list[str]]:
    shutil.copytree(indexed, folder)
    header, *lines = (folder / INDEX_NAME).read_text().splitlines()
    return folder, json.loads(header), lines


def rewrite(folder: Path, header: object, lines: list[str]) -> None:
    (folder / INDEX_NAME).write_text("\n".join([json.dumps(header), *lines]))


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"}, {"crop": -192}, {"crop": 1 << 40}, {"crop": "192"}, {"crop": True},
        {"count": 9}, {"count": 0}, {"targets": "none"}, {"crop": 256},
    ],
)  # fmt: skip
def test_a_header_that_lies(change: dict[str, object], indexed: Path, tmp_path: Path) -> None:
    folder, header, lines = changed(indexed, tmp_path / "copy")
    rewrite(folder, header | change, lines)
    with pytest.raises(TrainingError, match=r"copy.*(not an index|made for other data)") as caught:
        PairIndex.open(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, "", "null", "{}", "[1, 2]", '{"noisy": 3}', "{", "\x00", '{"surprise": 1}', "9" * 5000],
    ids=lambda line: repr(line[:12]),
)
def test_a_line_that_is_none(line: str, indexed: Path, tmp_path: Path) -> None:
    folder, header, lines = changed(indexed, tmp_path / "copy")
    rewrite(folder, header, [*lines[:-1], line])
    with pytest.raises(TrainingError, match="not an index of pairs, or a damaged one"):
        PairIndex.open(folder)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"hello", b"{}\n", b"[]\n", b'"x"\n'])
def test_a_file_that_is_no_index(content: bytes, tmp_path: Path) -> None:
    (tmp_path / INDEX_NAME).write_bytes(content)
    with pytest.raises(TrainingError, match="not an index of pairs"):
        PairIndex.open(tmp_path)


def test_an_index_of_other_crops(indexed: Path, tmp_path: Path) -> None:
    folder, _, _ = changed(indexed, tmp_path / "copy")
    crops = bytearray((folder / CROPS_NAME).read_bytes())
    crops[:3] = b"\x01\x02\x03"
    (folder / CROPS_NAME).write_bytes(crops)
    with pytest.raises(TrainingError, match=r"made for other data .crop 0"):
        PairIndex.open(folder)
    (folder / CROPS_NAME).write_bytes(crops[:-1])
    with pytest.raises(TrainingError, match=r"made for other data .* bytes do not hold"):
        PairIndex.open(folder)
    (folder / CROPS_NAME).unlink()
    with pytest.raises(TrainingError, match=r"crops\.u8: cannot be read"):
        PairIndex.open(folder)


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    """(pictures, their index) that a test may change."""
    pairs = write_pairs(tmp_path / "pairs", light=20, heavy=0)
    make(pairs, tmp_path / "index", per_pair=1)
    return pairs, tmp_path / "index"


def rewritten(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change a file's bytes; its time becomes another one, whatever the clock's steps are."""
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000_000))


def flip(data: bytearray) -> None:
    data[len(data) // 2] ^= 1


@pytest.mark.parametrize("name", ["3_noisy.png", "19_clean.png"])
@pytest.mark.parametrize("change", [flip, lambda data: data.extend(b"x"), lambda data: data.pop()])
def test_a_picture_that_has_changed_since(
    name: str, change: Callable[[bytearray], None], own: tuple[Path, Path]
) -> None:
    pairs, index = own
    rewritten(pairs / name, change)
    with pytest.raises(
        TrainingError, match=rf"made for other data \(.*{name} has changed since\); make it anew"
    ):
        PairIndex.open(index)


def test_pictures_that_were_only_touched_moved_or_dropped(own: tuple[Path, Path]) -> None:
    pairs, index = own
    rewritten(pairs / "3_noisy.png", lambda data: None)
    (pairs / "4_noisy.png").unlink()
    (pairs / "5_noisy.png").rename(pairs / "elsewhere.png")
    os.mkfifo(pairs / "5_noisy.png")  # never ends, and is no picture
    assert len(PairIndex.open(index)) == 20


def test_pictures_that_are_as_they_were_are_not_read(
    own: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jdcodec.training.index._checksum", lambda path: pytest.fail(f"{path} was read"))
    assert len(PairIndex.open(own[1])) == 20


def test_any_crop_that_is_damaged_is_found_once_the_file_was_touched(own: tuple[Path, Path]) -> None:
    crops = own[1] / CROPS_NAME
    size = crops.stat().st_size // 20

    def damage(data: bytearray) -> None:
        data[7 * size + 5] ^= 1

    rewritten(crops, lambda data: None)
    assert len(PairIndex.open(own[1])) == 20
    rewritten(crops, damage)
    with pytest.raises(TrainingError, match=r"made for other data .crop 7 is not the one"):
        PairIndex.open(own[1])


def test_an_index_from_before_pictures_were_kept(indexed: Path, tmp_path: Path) -> None:
    folder, header, lines = changed(indexed, tmp_path / "copy")
    rewrite(folder, {name: header[name] for name in header if name not in ("pictures", "crops_time")}, lines)
    assert len(PairIndex.open(folder)) == 8


@pytest.mark.parametrize(
    "pictures", [3, [], {"a": 1}, {"a": [1, 2]}, {"a": [1, 2, "3"]}, {"a": [1, 2, True]}, {"a": None}]
)
def test_pictures_that_are_none(pictures: object, indexed: Path, tmp_path: Path) -> None:
    folder, header, lines = changed(indexed, tmp_path / "copy")
    rewrite(folder, header | {"pictures": pictures}, lines)
    with pytest.raises(TrainingError, match="not an index of pairs, or a damaged one"):
        PairIndex.open(folder)


@pytest.mark.parametrize("name", ["", "\0", "x" * 5000, "/", "\ud800"])
def test_names_that_no_picture_has(name: str, indexed: Path, tmp_path: Path) -> None:
    folder, header, lines = changed(indexed, tmp_path / "copy")
    rewrite(folder, header | {"pictures": {name: [1, 2, 3]}}, lines)
    assert len(PairIndex.open(folder)) == 8


def test_no_index(tmp_path: Path) -> None:
    with pytest.raises(JdcError, match=r"holds no index of pairs .*; make one with: jdc data index"):
        PairIndex.open(tmp_path)
