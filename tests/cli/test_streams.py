"""Standard input and output that are closed, full or left by their reader, and pipes in place of files."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PictureMaker
from PIL import Image

from .command import jdc

GOLDEN = Path(__file__).parents[1] / "golden"
CODED, MODEL = GOLDEN / "tiles.jdc", GOLDEN / "tiny.safetensors"
JDC = shlex.join([sys.executable, "-c", "from jdcodec.cli import main; main()"])

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")


@pytest.fixture
def shell(tmp_path: Path, make_picture: PictureMaker) -> Shell:
    """Run a line of bash, `jdc` in it, in a folder with a photo, a .jdc file and a folder of eight."""
    Image.fromarray(make_picture(32, 48)).save(tmp_path / "photo.png")
    (tmp_path / "many").mkdir()
    for path in (tmp_path / "tiles.jdc", *(tmp_path / "many" / f"{number}.jdc" for number in range(8))):
        path.write_bytes(CODED.read_bytes())

    def run(line: str) -> subprocess.CompletedProcess[str]:
        script = f'set -o pipefail; jdc() {{ {JDC} "$@"; }}; {line}'
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )

    return run


@pytest.mark.parametrize(
    "command",
    [
        *("verify many", "verify many --json", "info many", "info many --json", "info tiles.jdc"),
        f"encode photo.png -o - --model {MODEL}",
        f"encode photo.png many/other.png -o made --model {MODEL}",
    ],
)
def test_a_reader_that_has_gone_ends_the_command_quietly(shell: Shell, tmp_path: Path, command: str) -> None:
    (tmp_path / "many" / "other.png").write_bytes((tmp_path / "photo.png").read_bytes())
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        shlex.split(f"{JDC} {command}"), cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert process.communicate(timeout=120)[1] == "" and process.returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command", ["verify many", "verify many --json", "info many", "info tiles.jdc --json", "--version"]
)
def test_a_full_output_is_no_failure_of_files(shell: Shell, command: str) -> None:
    done = shell(f"jdc {command} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("jdc: ") and done.stderr.endswith("No space left on device\n")
    assert done.stderr.count("\n") == 1 and "files failed" not in done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"jdc encode photo.png -o - --model {MODEL} >&-", "standard output: is closed"),
        (f"jdc decode tiles.jdc -o - --model {MODEL} >&-", "standard output: is closed"),
        ("jdc view photo.png -o - >&-", "standard output: is closed"),
        ("jdc info tiles.jdc >&-", "standard output: is closed"),
        ("jdc verify many >&-", "standard output: is closed"),
        ("jdc encode - -o a.jdc <&-", "standard input: is closed"),
        ("jdc decode - -o a.png <&-", "standard input: is closed"),
        ("jdc info - <&-", "standard input: is closed"),
        ("jdc verify - <&-", "standard input: is closed"),
        ("jdc view - -o a.html <&-", "standard input: is closed"),
    ],
)
def test_closed_streams(shell: Shell, line: str, said: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"jdc: {said}\n")


def test_a_closed_standard_error_lets_nothing_into_the_output(shell: Shell, tmp_path: Path) -> None:
    """What would be said there is lost, and does not come out with the picture."""
    done = shell(f"jdc encode photo.png -o - --model {MODEL} 2>&- > a.jdc && jdc verify a.jdc")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a.jdc: intact, 1 tile\n", "")
    done = shell("jdc info nowhere.jdc 2>&-")
    assert (done.returncode, done.stdout) == (1, "")
    assert shell("jdc info nowhere.jdc 2> /dev/full").returncode == 1


@contextmanager
def fed(path: Path, data: bytes) -> Iterator[Path]:
    """A named pipe that somebody writes to once; who reads it twice waits for ever."""
    os.mkfifo(path)

    def write() -> None:
        try:
            path.write_bytes(data)
        except OSError as error:
            assert error.errno == errno.EPIPE

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    yield path
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("command", ["encode", "decode", "info", "verify", "view", "view a photo"])
def test_a_pipe_is_read_as_a_file_is(command: str, tmp_path: Path, make_picture: PictureMaker) -> None:
    photo = tmp_path / "photo.png"
    Image.fromarray(make_picture(32, 48)).save(photo)
    name, *of_photo = command.split()
    data = photo.read_bytes() if of_photo or name == "encode" else CODED.read_bytes()
    with fed(tmp_path / "pipe", data) as pipe:
        output = {"encode": "a.jdc", "decode": "a.png", "view": "a.html"}.get(name)
        words = ["-o", tmp_path / output, "--model", MODEL] if output else []
        words += ["--json"] if name in ("encode", "info") else []
        result = jdc(name, pipe, *words)
    assert result.exit_code == 0, result.exception
    if name == "encode":
        assert json.loads(result.stdout)["input_bytes"] == len(data)
    if name == "info":
        assert json.loads(result.stdout)["bytes"] == len(data)


@pytest.mark.parametrize("command", ["info", "view"])
def test_the_shell_may_make_the_pipe(shell: Shell, command: str) -> None:
    output = f"-o - --model {MODEL}" if command == "view" else ""
    done = shell(f"jdc {command} <(cat tiles.jdc) {output} | grep -c 4f0596f0c43900fe38b4639dbe24c6c1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


SENTENCES = {
    "encode photo.png": ": 48 × 32, ",
    "decode tiles.jdc": ": 200 × 150, ",
    "view tiles.jdc": " bytes\n",
}


@pytest.mark.parametrize("command", SENTENCES)
def test_the_shell_may_make_the_pipe_of_an_output(shell: Shell, tmp_path: Path, command: str) -> None:
    update = "" if command.startswith("view") else "--update"  # a pipe is always newer
    assert shell(f"jdc {command} -o whole --model {MODEL}").returncode == 0
    done = shell(f"jdc {command} -o >(cat > piped) --model {MODEL} {update} && wait $!")
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.startswith("/dev/fd/") and SENTENCES[command] in done.stdout
    assert (tmp_path / "piped").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("command", ["encode photo.png", "decode tiles.jdc"])
def test_the_size_of_what_went_into_a_pipe_is_told(shell: Shell, tmp_path: Path, command: str) -> None:
    assert shell(f"jdc {command} -o whole --model {MODEL}").returncode == 0
    done = shell(f"jdc {command} -o >(cat > /dev/null) --json --model {MODEL}")
    assert json.loads(done.stdout)["bytes"] == (tmp_path / "whole").stat().st_size


@pytest.mark.parametrize(("name", "way"), [("/dev/stdout", "| cat > piped"), ("/dev/fd/1", "> piped")])
@pytest.mark.parametrize("command", [*SENTENCES, "encode photo.png --json"])
def test_standard_output_by_its_other_names(
    shell: Shell, tmp_path: Path, command: str, name: str, way: str
) -> None:
    """The picture alone comes out there, and nothing that is said about it."""
    assert shell(f"jdc {command} -o whole --model {MODEL}").returncode == 0
    done = shell(f"jdc {command} -o {name} --model {MODEL} {way}")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "piped").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_reader_that_leaves_the_pipe_of_an_output(shell: Shell) -> None:
    done = shell(f"jdc decode tiles.jdc -o >(head -c 9 > /dev/null) --model {MODEL}")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith("jdc: /dev/fd/") and "cannot be written: Broken pipe" in done.stderr
