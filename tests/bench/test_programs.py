"""External programs: the real ones where installed, and stand-ins that fail in every way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jdcodec.bench.codec import CodecFailure, Unavailable
from jdcodec.bench.metrics import psnr
from jdcodec.bench.programs import PROGRAMS, Program

from .conftest import make_picture

PutOnPath = Callable[[str, str], Path]
PICTURE = make_picture(4, 80, 112)
BPG = next(program for program in PROGRAMS if program.name == "bpg")

# Speaks bpgenc's and bpgdec's command lines, with WebP inside. bpgenc's q goes from 0 (best) to 51.
BPGENC = """
import sys
from PIL import Image
arguments = sys.argv[1:]
if arguments == ["-h"]:
    sys.exit(print("BPG Image Encoder version 0.9.8"))
assert arguments[:3] == ["-f", "444", "-q"] and arguments[4] == "-o", arguments
Image.open(arguments[6]).save(arguments[5], "WEBP", quality=100 - 1.9 * int(arguments[3]))
"""
BPGDEC = """
import sys
from PIL import Image
assert sys.argv[1] == "-o", sys.argv
Image.open(sys.argv[3]).save(sys.argv[2])
"""


@pytest.fixture
def bpg(on_path: PutOnPath) -> Program:
    """The adapter for BPG with working stand-ins on PATH."""
    on_path("bpgenc", BPGENC)
    on_path("bpgdec", BPGDEC)
    return replace(BPG, time_limit=20)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_real_programs(program: Program) -> None:
    try:
        version = program.prepare()
    except Unavailable as error:
        pytest.skip(str(error))
    assert any(c.isdigit() for c in version), version
    grid = program.scale.grid
    worst, best = (program.code(PICTURE, quality) for quality in (grid[1], grid[-1]))
    assert len(worst.data) < len(best.data)
    assert 15 < psnr(PICTURE, worst.pixels) < psnr(PICTURE, best.pixels)
    assert best.encode.peak_bytes and best.encode.peak_bytes > 1e6


def test_bpg_by_a_stand_in(bpg: Program) -> None:
    assert bpg.prepare() == "bpgenc 0.9.8"
    worst, best = bpg.code(PICTURE, 45), bpg.code(PICTURE, 20)
    assert best.data[:4] == b"RIFF"
    assert psnr(PICTURE, worst.pixels) < psnr(PICTURE, best.pixels)
    assert bpg.command(29) == "bpgenc -f 444 -q 29 -o coded.bpg in.png && bpgdec -o out.png coded.bpg"


def test_a_missing_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for program in PROGRAMS:
        with pytest.raises(Unavailable, match=r"is not installed \((apt install|build) "):
            program.prepare()


def test_a_missing_decoder_is_told_too(on_path: PutOnPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(on_path("bpgenc", BPGENC).parent))
    with pytest.raises(Unavailable, match="the program bpgdec is not installed"):
        BPG.prepare()


def test_the_second_decoder_is_taken_where_the_first_is_missing(bpg: Program) -> None:
    either = replace(bpg, decode=("bpgdec-of-tomorrow -o out.png coded.bpg", *bpg.decode))
    assert either.prepare() == "bpgenc 0.9.8"
    assert either.code(PICTURE, 30).pixels.shape == PICTURE.shape


@pytest.mark.parametrize(
    ("encoder", "why"),
    [
        (
            "import sys; sys.exit('cannot: disk on fire')",
            "bpgenc ended with exit status 1: cannot: disk on fire",
        ),
        ("import os; os.abort()", "bpgenc was ended by SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "bpgenc was ended by SIGSEGV"),
        ("pass", "bpgenc wrote nothing"),
        ("open('coded.bpg', 'w')", "bpgenc wrote nothing"),
        ("open('coded.bpg', 'w').write('rubbish')", "bpgdec ended with exit status 1"),
    ],
    ids=["error", "abort", "crash", "nothing", "empty", "rubbish"],
)
def test_encoders_that_fail(bpg: Program, on_path: PutOnPath, encoder: str, why: str) -> None:
    on_path("bpgenc", encoder)
    with pytest.raises(CodecFailure, match=why) as caught:
        bpg.code(PICTURE, 30)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("decoder", "why"),
    [
        ("pass", "bpgdec wrote nothing"),
        ("open('out.png', 'w').write('rubbish')", "bpgdec wrote a file that is no picture"),
        (
            "from PIL import Image; Image.new('RGB', (8, 8)).save('out.png')",
            "decoded to 8 × 8 pixels, not 112 × 80",
        ),
    ],
    ids=["nothing", "no picture", "wrong size"],
)
def test_decoders_that_fail_with_exit_status_0(
    bpg: Program, on_path: PutOnPath, decoder: str, why: str
) -> None:
    on_path("bpgdec", decoder)
    with pytest.raises(CodecFailure, match=why):
        bpg.code(PICTURE, 30)


def test_a_program_that_hangs_is_ended_with_what_it_started(
    bpg: Program, on_path: PutOnPath, tmp_path: Path
) -> None:
    sign = tmp_path / "grandchild lived"
    grandchild = f"['sh', '-c', 'sleep 2; touch \"{sign}\"']"
    on_path("bpgenc", f"import subprocess, time; subprocess.Popen({grandchild}); time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(CodecFailure, match=r"bpgenc took longer than 1 s"):
        replace(bpg, time_limit=1).code(PICTURE, 30)
    assert time.monotonic() - start < 20
    time.sleep(2.5)
    assert not sign.exists()


def test_a_program_that_goes_missing_meanwhile_is_a_failure(bpg: Program, tmp_path: Path) -> None:
    (tmp_path / "bin" / "bpgenc").unlink()
    with pytest.raises(CodecFailure, match="bpgenc could not be started"):
        bpg.code(PICTURE, 30)


def test_names_with_odd_characters_stay_whole(
    bpg: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "a b;$(touch x)"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    assert bpg.code(PICTURE, 30).pixels.shape == PICTURE.shape
