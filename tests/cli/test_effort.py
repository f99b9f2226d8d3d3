"""`jdc encode --effort`: reaches the encoder by every way, and is refused out of range."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec
from jdcodec.cluster.job import make_order
from jdcodec.codec.encoder import EncodeSettings
from jdcodec.photo import ReadOptions

from .command import jdc


@pytest.fixture
def photo(tmp_path: Path, make_picture: PictureMaker) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(make_picture(64, 96)).save(path)
    return path


@pytest.mark.parametrize("effort", ["0", "10", "4.5", "most"])
def test_no_effort_is_a_usage_error(photo: Path, effort: str) -> None:
    result = jdc("encode", photo, "--effort", effort)
    assert result.exit_code == 2
    assert "--effort" in result.output
    assert not photo.with_suffix(".jdc").exists()


def test_it_reaches_the_encoder(photo: Path, tiny_model: Path) -> None:
    output = photo.with_suffix(".jdc")
    result = jdc("encode", photo, "--model", tiny_model, "--effort", 9, "--quiet")
    assert result.exit_code == 0
    pixels = np.asarray(Image.open(photo))
    assert output.read_bytes() == jdcodec.encode(pixels, model=str(tiny_model), effort=9)
    assert output.read_bytes() != jdcodec.encode(pixels, model=str(tiny_model))


def test_a_cluster_does_photos_again_with_another_effort(tiny_model: Path) -> None:
    settings = EncodeSettings(model=str(tiny_model))
    keys = {
        make_order(replace(settings, effort=effort), ReadOptions(), frozenset()).key for effort in (4, 5, 9)
    }
    assert len(keys) == 3
