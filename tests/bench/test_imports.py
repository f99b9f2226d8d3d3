"""Torch takes over a second to import: the benchmark does so for MS-SSIM and checkpoints only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import make_picture, save

SCRIPT = """
import sys
from pathlib import Path
from jdcodec.bench.codec import CodecFailure
from jdcodec.bench.registry import Choice, choose, codec_names
from jdcodec.bench.runner import Measuring, prepare, run
from jdcodec.bench.sets import open_set, read_pixels
from jdcodec.errors import JdcError

try:
    choose(("jpge",), Choice())
except JdcError:
    pass
choose(codec_names(), Choice())
codecs = choose(("jdc", "jpeg", "stem+jpeg"), Choice(model=sys.argv[2], device="cpu"))
entrants, absent = prepare(codecs, {"jdc": (2,), "jpeg": (30,), "stem+jpeg": (30,)}, True)
pictures = open_set(Path(sys.argv[1]))
points = list(run(pictures, entrants, {}, Measuring(read_pixels)))
assert len(points) == 3 and not any(point.error for point in points), points
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("torch", "compressai")))
"""


def test_measuring_small_pictures_imports_no_torch(tmp_path: Path, tiny_model: Path) -> None:
    """Small ones have no MS-SSIM; the networks of jdc run on OpenVINO."""
    pytest.importorskip("openvino")
    save(tmp_path / "a.png", make_picture())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, tmp_path, tiny_model], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
