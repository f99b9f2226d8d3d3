"""Torch takes over a second to import, so nothing imports it before a network runs on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

#: What coding a photo on the CPU takes from other people; all else would only cost time.
NEEDED = {"PIL", "constriction", "numpy", "openvino", "safetensors"}

#: What other parts of the package take, and what OpenVINO and others would bring along.
FOREIGN = {
    *("absl", "compressai", "dask", "distributed", "fsspec", "matplotlib", "openvino_telemetry", "pandas"),
    *("rawpy", "scipy", "skimage", "tensorboard", "tifffile", "torch", "torchvision"),
}

#: Tells, as JSON, which packages from elsewhere are loaded.
_LOADED = """
import json, sys
roots = {name.split(".")[0] for name, module in sys.modules.items()
         if "site-packages" in (getattr(module, "__file__", None) or "")}
print(json.dumps(sorted(roots - {"_distutils_hack"})))
"""


@pytest.mark.parametrize(
    "modules", ["jdcodec", "jdcodec.container, jdcodec.entropy, jdcodec.codec.weights, jdcodec.codec.api"]
)
def test_no_torch(modules: str) -> None:
    script = f"import sys, {modules}; print(sorted(m for m in sys.modules if m.split('.')[0] == 'torch'))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def loaded(script: str, *arguments: object, home: Path) -> set[str]:
    """The packages that a script leaves loaded; `home` is the user's folder."""
    environment = os.environ | {"HOME": str(home)}
    command = [sys.executable, "-c", script + _LOADED, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_coding_on_the_cpu_loads_no_more_than_it_needs(tiny_model: Path, tmp_path: Path) -> None:
    script = """
import sys, numpy as np, jdcodec
picture = np.full((40, 50, 3), 90, np.uint8)
data = jdcodec.encode(picture, model=sys.argv[1], device="cpu", denoise="auto")
assert jdcodec.decode(data, model=sys.argv[1], device="cpu", grain=0.5).shape == (40, 50, 3)
"""
    assert loaded(script, tiny_model, home=tmp_path) <= NEEDED


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_commands_on_the_cpu_load_no_more_than_they_need(
    command: str, tiny_model: Path, make_picture: PictureMaker, tmp_path: Path
) -> None:
    photo, coded, decoded = (tmp_path / name for name in ("photo.png", "photo.jdc", "decoded.png"))
    Image.fromarray(make_picture(40, 50)).save(photo)
    words, target = [photo, "-o", coded], coded
    if command == "decode":
        from jdcodec import encode

        coded.write_bytes(encode(make_picture(40, 50), model=str(tiny_model)))
        words, target = [coded, "-o", decoded], decoded
    script = """
import sys
from jdcodec.cli import app
try:
    app()
except SystemExit as end:
    assert not end.code
"""
    packages = loaded(
        script, command, *words, "--model", tiny_model, "--device", "cpu", "--json", home=tmp_path
    )
    assert target.exists()
    assert not packages & FOREIGN
    assert packages >= NEEDED - {"PIL"}


def test_coding_leaves_nothing_in_the_users_folder(tiny_model: Path, tmp_path: Path) -> None:
    """OpenVINO's model converter counts its uses there, and tells its makers of them."""
    script = """
import sys, numpy as np, jdcodec
jdcodec.encode(np.full((40, 50, 3), 90, np.uint8), model=sys.argv[1], device="cpu")
"""
    assert not any(
        name.startswith("openvino_telemetry") for name in loaded(script, tiny_model, home=tmp_path)
    )
    assert list(tmp_path.iterdir()) == []


def test_attributes() -> None:
    import jdcodec

    assert {"encode", "decode", "__version__"} <= set(jdcodec.__all__)
    with pytest.raises(AttributeError, match="no attribute 'surprise'"):
        jdcodec.surprise  # noqa: B018
