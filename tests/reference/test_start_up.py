"""Nothing of the papers' systems is imported where photos are coded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

_REPORT = """
import sys
from jdcodec.cli import app
app(sys.argv[1:], standalone_mode=False)
foreign = ("jdcodec.reference", "jdcodec.gmac", "compressai", "torchvision")
print("FOREIGN", [name for name in sys.modules if name.startswith(foreign)])
"""


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _REPORT, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture coded by `jdc encode`, with what that imported checked already."""
    from jdcodec.codec.weights import shipped_models

    if "fast" not in shipped_models():
        pytest.skip("the fast model's weights are not in this checkout")
    folder = tmp_path_factory.mktemp("coded")
    Image.new("RGB", (70, 50), (90, 120, 60)).save(folder / "photo.png")
    target = folder / "photo.jdc"
    assert "FOREIGN []" in _run("encode", str(folder / "photo.png"), "-o", str(target))
    return target


def test_decode_imports_nothing_of_them(coded: Path) -> None:
    assert "FOREIGN []" in _run("decode", str(coded), "-o", str(coded.with_suffix(".ppm")))


def test_info_imports_nothing_of_them(coded: Path) -> None:
    assert "FOREIGN []" in _run("info", str(coded))


def test_neither_do_the_packages_that_code() -> None:
    code = (
        "import sys, jdcodec.cli, jdcodec.codec.api, jdcodec.codec.encoder, jdcodec.codec.decoder, "
        "jdcodec.codec.runtime, jdcodec.codec.symbols\n"
        "foreign = ('jdcodec.reference', 'jdcodec.gmac.', 'compressai', 'torchvision')\n"
        "print([n for n in sys.modules if n.startswith(foreign)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
