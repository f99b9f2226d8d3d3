"""Errors that no one foresaw: one line for the photo that met them, and the others are done."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from jdcodec.cli import common
from jdcodec.cli.common import in_words
from jdcodec.cli.jobs import Job
from jdcodec.cli.running import attempt, run_jobs
from jdcodec.cli.workers import share
from jdcodec.codec import encoder
from jdcodec.errors import JdcError, PhotoError

from .command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
MODEL = GOLDEN / "tiny.safetensors"
PAGES = "Check 'false' failed at plugin.cpp:53:\n" + 200 * "no such plugin\n"
NO_MEMORY = "not enough memory; end other programs, or use fewer --workers"


def stumble(job: Job) -> str:
    errors: dict[str, Exception] = {
        "a": RuntimeError("one\n\ttwo"),
        "b": MemoryError(),
        "c": KeyError("k"),
        "d": OSError(5, "Input/output error"),
        "e": OSError(5, "Input/output error", "elsewhere"),
        "f": BrokenPipeError(32, "Broken pipe"),
        "g": PhotoError("g: bad"),
    }
    if job.source in errors:
        raise errors[job.source]
    return job.source.upper()


FAILURES = {
    "a": "a: RuntimeError: one two",
    "b": f"b: {NO_MEMORY}",
    "c": "c: KeyError: 'k'",
    "d": "d: Input/output error",
    "e": "elsewhere: Input/output error",
    "f": "f: Broken pipe",
    "g": "g: bad",
    "h": "",
}
JOBS = [Job(name, "-") for name in FAILURES]


def test_any_error_is_one_line_about_its_file() -> None:
    assert {job.source: attempt(job, stumble).failure for job in JOBS} == FAILURES


def test_in_a_worker_too() -> None:
    assert {outcome.job.source: outcome.failure for outcome in share(JOBS, stumble, 2)} == FAILURES


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("Exception from core.cpp:\nstd::bad_alloc\n"), NO_MEMORY),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "this needs torch, which is not"),
        (ModuleNotFoundError("No module named 'zlib'", name="zlib"), "ModuleNotFoundError: No module named"),
        (AssertionError(), "AssertionError:"),
        (RuntimeError(PAGES), "RuntimeError: Check 'false' failed at plugin.cpp:53: no such plugin"),
    ],
)
def test_words_for_errors(error: Exception, words: str) -> None:
    said = in_words(error)
    assert said.startswith(words) and "\n" not in said and len(said) < 320


@pytest.fixture
def photos(tmp_path: Path, make_picture: PictureMaker, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos, of which the first one upsets the encoder."""
    for name, width in (("a", 48), ("b", 64)):
        Image.fromarray(make_picture(48, width)).save(tmp_path / f"{name}.png")
    usual = encoder.code_photo

    def upset(photo: object, settings: object) -> object:
        if photo.width == 48:  # type: ignore[attr-defined]
            raise RuntimeError(PAGES)
        return usual(photo, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder, "code_photo", upset)
    return tmp_path


def test_a_library_that_fails_stops_no_other_photo(photos: Path) -> None:
    result = jdc("encode", photos, "--model", MODEL)
    assert result.exit_code == 1 and (photos / "b.jdc").exists()
    assert "1 photo, " in result.stdout
    assert f"jdc: {photos}/a.png: RuntimeError: Check 'false' failed" in result.stderr
    assert result.stderr.endswith("jdc: 1 of 2 files failed\n") and result.stderr.count("\n") == 2


def test_of_one_photo_it_is_one_line(photos: Path) -> None:
    result = jdc("encode", photos / "a.png", "--model", MODEL, "--json")
    assert result.exit_code == 1 and isinstance(result.exception, JdcError)
    assert str(result.exception).startswith(f"{photos}/a.png: RuntimeError: ")
    assert json.loads(result.stdout)["error"] == str(result.exception)


@pytest.mark.parametrize("names", [["a.png"], ["a.png", "b.png"]])
def test_debug_shows_the_error_itself(
    photos: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "debug", False)  # the command sets it for good
    result = jdc("--debug", "encode", *(photos / name for name in names), "--model", MODEL)
    assert isinstance(result.exception, RuntimeError) and str(result.exception) == PAGES


def test_a_reader_that_has_gone_ends_the_run() -> None:
    """What `finish` cannot write is no failure of the file."""

    def finish(job: Job, result: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        run_jobs([Job("x", "-"), Job("y", "-")], stumble, quiet=True, finish=finish)


def limit_memory(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
@pytest.mark.parametrize("count", [1, 2])
def test_too_little_memory(tmp_path: Path, make_picture: PictureMaker, count: int) -> None:
    """With address space that one photo's networks do not fit in, each photo fails with a line."""
    names = [f"{name}.png" for name in "ab"[:count]]
    for name in names:
        Image.fromarray(make_picture(700, 1000)).save(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", "from jdcodec.cli import main; main()", "encode", *names],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        preexec_fn=partial(limit_memory, 500_000_000),
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == (1 if count == 1 else 3), done.stderr
    assert lines[0].startswith("jdc: a.png: ") and not list(tmp_path.glob("*.jdc"))
    if count == 2:
        assert lines[1].startswith("jdc: b.png: ") and lines[2] == "jdc: 2 of 2 files failed"
