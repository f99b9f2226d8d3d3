"""Photographs to crops: places and turns drawn from a generator, and pictures that cannot be used named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from jdcodec.errors import TrainingError
from jdcodec.training.data import find_photographs, hold_out, load_photographs, random_crops


def crops(photographs: list[torch.Tensor], seed: int, batch: int = 6, size: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return random_crops(photographs, batch, size, generator, torch.device("cpu"))


def test_found_below_the_folder_and_sorted(pictures: Path) -> None:
    found = find_photographs(pictures)
    assert [path.name for path in found] == ["1.png", "2.png", "3.png", "0.png"]


def test_loaded_as_uint8_rgb(pictures: Path) -> None:
    loaded = load_photographs(find_photographs(pictures), 64)
    assert [tuple(p.shape) for p in loaded] == [(91, 110, 3), (92, 110, 3), (93, 110, 3), (90, 110, 3)]
    assert all(p.dtype == torch.uint8 for p in loaded)


def test_crops_have_the_shape_asked_for_and_repeat(pictures: Path) -> None:
    photographs = load_photographs(find_photographs(pictures), 64)
    first = crops(photographs, 1)
    assert first.shape == (6, 3, 32, 32) and first.dtype == torch.float32
    assert first.min() >= 0 and first.max() <= 1
    assert torch.equal(first, crops(photographs, 1))
    assert not torch.equal(first, crops(photographs, 2))


def test_crops_are_turned_pieces_of_the_photograph() -> None:
    """Each pixel has its own colour, so a crop tells where it was taken and how it was turned."""
    rows, columns = np.mgrid[0:40, 0:50]
    photograph = torch.from_numpy(np.stack((rows, columns, rows + columns), axis=2).astype(np.uint8))
    turns = set()
    for crop in torch.round(crops([photograph], 0, batch=64, size=16) * 255).int():
        row, column = crop[0], crop[1]
        assert row.max() - row.min() == column.max() - column.min() == 15
        assert torch.equal(row + column, crop[2])
        steps = (plane.diff(dim=dim)[0, 0] for plane in (row, column) for dim in (0, 1))
        turns.add(tuple(map(int, steps)))
    assert len(turns) == 8


def test_a_crop_may_be_the_whole_photograph() -> None:
    photograph = torch.full((32, 32, 3), 7, dtype=torch.uint8)
    assert (crops([photograph], 0) == 7 / 255).all()


def test_large_photographs_are_drawn_more_often() -> None:
    small, large = torch.zeros(32, 32, 3, dtype=torch.uint8), torch.ones(320, 320, 3, dtype=torch.uint8)
    assert float((crops([small, large], 0, batch=200) > 0).float().mean()) > 0.95


def test_hold_out_takes_each_nth() -> None:
    paths = [Path(str(number)) for number in range(1, 8)]
    kept, held_out = hold_out(paths, 3)
    assert [int(p.name) for p in held_out] == [3, 6]
    assert [int(p.name) for p in kept] == [1, 2, 4, 5, 7]


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere: no such folder"):
        find_photographs(tmp_path / "nowhere")


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none here")
    with pytest.raises(TrainingError, match=f"{tmp_path}: no photographs"):
        find_photographs(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_an_unreadable_picture_is_named(content: bytes, pictures: Path, tmp_path: Path) -> None:
    shutil.copy(pictures / "1.png", tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(TrainingError, match=r"bad\.png: cannot be read as a picture") as caught:
        load_photographs(find_photographs(tmp_path), 64)
    assert "\n" not in str(caught.value)


def test_a_picture_cut_short_is_named(pictures: Path, tmp_path: Path) -> None:
    data = (pictures / "1.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(TrainingError, match=r"cut\.png: cannot be read"):
        load_photographs(find_photographs(tmp_path), 64)


def test_a_picture_that_claims_to_be_enormous_is_named(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(TrainingError, match=r"\.png: cannot be read"):
        load_photographs(find_photographs(pictures), 64)


def test_too_small_pictures_are_left_out(pictures: Path) -> None:
    assert len(load_photographs(find_photographs(pictures), 92)) == 2
    with pytest.raises(TrainingError, match="no photograph has 128 pixels a side"):
        load_photographs(find_photographs(pictures), 128)
