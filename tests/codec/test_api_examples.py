"""The Python examples of the guide and of the README run as they stand."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jdcodec
from jdcodec.container import Reader
from jdcodec.demo.dng import write_dng
from jdcodec.demo.scene import render
from jdcodec.demo.sensor import Sensor

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(code, id=f"{page}-{number}")
    for page in ("README.md", "docs/guide.md")
    for number, code in enumerate(BLOCK.findall((ROOT / page).read_text("utf-8")), start=1)
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples take for granted: photos, a file, and a damaged one."""
    folder = tmp_path_factory.mktemp("examples")
    sensor, scene = Sensor(), render(192, 288)
    write_dng(folder / "photo.NEF", sensor.expose(scene, 800, np.random.default_rng(0)), sensor.dng_tags(800))
    data = jdcodec.encode(folder / "photo.NEF")
    (folder / "photo.jdc").write_bytes(data)
    Image.fromarray(jdcodec.decode(data)).save(folder / "photo.jpg")
    damaged = bytearray(data)
    damaged[Reader(io.BytesIO(data)).sections[-1].offset] ^= 1
    (folder / "broken.jdc").write_bytes(damaged)
    return folder


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs(
    code: str, files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    exec(compile(code, "example", "exec"), {})
    told = capsys.readouterr().out
    if "facts = " in code:
        assert told == "288 192 4.0 jdcodec Demo Camera\n"
    if "salvage" in code:
        assert re.fullmatch(r"broken\.jdc: .*\ndamaged: no tile lost; .* \(192, 288, 3\)\n", told)
