"""Either runtime may be missing: what can still be done is done, all else is one clear line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec
from jdcodec.codec.decoder import decode_symbols
from jdcodec.codec.weights import load_weights
from jdcodec.container import parse

#: Starts the command line where some packages are not installed, as far as Python's import can tell.
_SCRIPT = """
import sys
from importlib.machinery import PathFinder

hidden, arguments = sys.argv[1].split(), sys.argv[2:]

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in hidden else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
from jdcodec.cli import main

sys.argv = ["jdc", *arguments]
main()
"""


@pytest.fixture
def photo(make_picture: PictureMaker, tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(make_picture(40, 50)).save(path)
    return path


def jdc(without: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", _SCRIPT, without, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def encode(without: str, photo: Path, model: Path, device: str) -> subprocess.CompletedProcess[str]:
    words = ("encode", photo, "-o", photo.with_suffix(".jdc"), "--quiet")
    return jdc(without, *words, "--model", model, "--device", device, "--precision", "fp32")


def assert_refused(run: subprocess.CompletedProcess[str], photo: Path, *parts: str) -> None:
    """One line on standard error, and no output nor a temporary file."""
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1, run.stderr
    for part in parts:
        assert part in run.stderr
    assert list(photo.parent.iterdir()) == [photo]


@pytest.mark.parametrize("device", ["cuda", "torch-cpu"])
def test_without_torch_its_devices_are_refused(photo: Path, tiny_model: Path, device: str) -> None:
    run = encode("torch", photo, tiny_model, device)
    assert_refused(run, photo, f"device '{device}' needs torch", "--device cpu")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_without_torch_the_cpu_codes(photo: Path, tiny_model: Path, device: str) -> None:
    run = encode("torch", photo, tiny_model, device)
    assert (run.returncode, run.stderr) == (0, "")
    decoded = photo.with_name("decoded.png")
    run = jdc("torch", "decode", photo.with_suffix(".jdc"), "-o", decoded, "--model", tiny_model, "--quiet")
    assert (run.returncode, run.stderr) == (0, "")
    with Image.open(decoded) as image:
        assert image.size == (50, 40)


def test_without_openvino_torch_codes(photo: Path, scalar_model: Path) -> None:
    """And but for values on the edge between two symbols gives the same file.

    Of a path through the trellis a single such value would move many symbols, so here is none.
    """
    run = encode("openvino", photo, scalar_model, "cpu")
    assert (run.returncode, run.stderr) == (0, "")
    weights = load_weights(scalar_model.resolve())
    data = photo.with_suffix(".jdc").read_bytes()
    with Image.open(photo) as image:
        expected = parse(jdcodec.encode(np.asarray(image), model=str(scalar_model), device="torch-cpu"))
    assert parse(data).header == expected.header
    found, wanted = (decode_symbols(file, weights) for file in (parse(data), expected))
    assert np.mean(found.z != wanted.z) < 0.05 and np.mean(found.y != wanted.y) < 0.05


def test_without_either_the_cpu_is_refused(photo: Path, tiny_model: Path) -> None:
    run = encode("openvino torch", photo, tiny_model, "cpu")
    assert_refused(run, photo, "needs openvino: pip install openvino")
