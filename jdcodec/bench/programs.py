"""External programs under test as a table: command lines, version, quality scale, where to get them.

Commands run in an empty folder that holds the picture to code. `{q}` in a command is the quality.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from . import process
from .codec import CodecFailure, Coded, Cost, Scale, Unavailable, checked
from .metrics import Pixels

DEFAULT_TIME_LIMIT = 300.0


@dataclass(frozen=True)
class Program:
    """A codec that is a pair of command-line programs.

    `encode` reads `in.png` or `in.ppm` and writes a file `coded.*`; the first of `decode` whose program is
    installed reads that and writes `out.png` or `out.ppm`. `version` is a command whose output the pattern
    `version_pattern` finds the version in, in its first group. `time_limit` is in seconds for each command.
    """

    name: str
    title: str
    encode: str
    decode: tuple[str, ...]
    version: str
    version_pattern: str
    get: str
    scale: Scale
    time_limit: float = DEFAULT_TIME_LIMIT
    kind: str = "program"

    def prepare(self) -> str:
        """Version of the encoder. Raises Unavailable, saying how to get it, where a program is missing."""
        encoder = self.encode.split()[0]
        decoders = [command.split()[0] for command in self.decode]
        if not shutil.which(encoder):
            raise Unavailable(f"{self.name}: the program {encoder} is not installed ({self.get})")
        if not any(shutil.which(decoder) for decoder in decoders):
            raise Unavailable(
                f"{self.name}: the program {' or '.join(decoders)} is not installed ({self.get})"
            )
        try:
            asked = subprocess.run(
                shlex.split(self.version), capture_output=True, timeout=20, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"{self.name}: {encoder} does not answer ({error})") from error
        found = re.search(self.version_pattern, (asked.stdout + asked.stderr).decode(errors="replace"))
        return f"{encoder} {found[1]}" if found else f"{encoder}, version not told"

    def command(self, quality: float) -> str:
        """Both commands, as one would type them in a folder that holds the picture."""
        encode, decode = self._commands(quality)
        return f"{shlex.join(encode)} && {shlex.join(decode)}"

    def _commands(self, quality: float) -> tuple[list[str], list[str]]:
        installed = [d for d in self.decode if shutil.which(d.split()[0])]
        return shlex.split(self.encode.format(q=f"{quality:g}")), shlex.split((installed or self.decode)[0])

    def code(self, pixels: Pixels, quality: float) -> Coded:
        """Write the picture, run the encoder, run the decoder on its file. Raises CodecFailure."""
        with tempfile.TemporaryDirectory(prefix="jdc-bench-") as name:
            folder = Path(name)
            encode, decode = self._commands(quality)
            Image.fromarray(pixels).save(folder / _word(encode, "in."), compress_level=1)
            encode_cost, data = self._step(encode, folder, "coded.")
            decode_cost, _ = self._step(decode, folder, "out.")
            decoded = _read(folder / _word(decode, "out."), decode[0])
            return checked(Coded(data, decoded, encode_cost, decode_cost), pixels)

    def _step(self, command: list[str], folder: Path, output: str) -> tuple[Cost, bytes]:
        """Run one command; returns its cost and the bytes of the file that it had to write."""
        cost = process.run(command, folder, self.time_limit)
        path = folder / _word(command, output)
        if not path.is_file() or not path.stat().st_size:
            raise CodecFailure(f"{command[0]} wrote nothing")
        return cost, path.read_bytes()


def _word(command: list[str], prefix: str) -> str:
    """The file name in a command that begins with `prefix`."""
    return next(word for word in command if word.startswith(prefix))


def _read(path: Path, program: str) -> Pixels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CodecFailure(f"{program} wrote a file that is no picture") from error


def _percent(*grid: float) -> Scale:
    return Scale(1, 100, 1, grid)


PROGRAMS = (
    Program(
        "cjpeg",
        "JPEG (libjpeg-turbo cjpeg)",
        "cjpeg -quality {q} -optimize -sample 2x2 -outfile coded.jpg in.ppm",
        ("djpeg -outfile out.ppm coded.jpg",),
        "cjpeg -version",
        r"version (\S+)",
        "apt install libjpeg-turbo-progs",
        _percent(10, 20, 30, 45, 60, 75, 88),
    ),
    Program(
        "gm",
        "JPEG (GraphicsMagick)",
        "gm convert in.ppm -quality {q} -sampling-factor 2x2 coded.jpg",
        ("gm convert coded.jpg out.ppm",),
        "gm version",
        r"GraphicsMagick (\S+)",
        "apt install graphicsmagick",
        _percent(10, 20, 30, 45, 60, 75, 88),
    ),
    Program(
        "cjxl",
        "JPEG XL (cjxl)",
        "cjxl in.png coded.jxl -q {q} -e 7",
        ("djxl coded.jxl out.ppm",),
        "cjxl --version",
        r"cjxl v(\S+)",
        "apt install libjxl-tools",
        _percent(8, 20, 35, 50, 65, 78, 88),
    ),
    Program(
        "avifenc",
        "AVIF (avifenc)",
        "avifenc -j 1 -s 6 -y 444 --min 0 --max 63 -a end-usage=q -a cq-level={q} in.png coded.avif",
        ("avifdec -j 1 coded.avif out.png",),
        "avifenc --version",
        r"Version: (\S+)",
        "apt install libavif-bin",
        Scale(63, 0, 1, (56, 48, 41, 34, 27, 20)),
    ),
    Program(
        "cwebp",
        "WebP (cwebp)",
        "cwebp -quiet -m 4 -q {q} in.png -o coded.webp",
        ("dwebp -quiet -ppm coded.webp -o out.ppm",),
        "cwebp -version",
        r"(\d+\.\d+\.\d+)",
        "apt install webp",
        Scale(0, 100, 1, (1, 10, 25, 45, 65, 80, 92)),
    ),
    Program(
        "heif-enc",
        "HEIC (heif-enc)",
        "heif-enc -q {q} -p chroma=444 -o coded.heic in.png",
        ("heif-dec coded.heic out.png", "heif-convert coded.heic out.png"),
        "heif-enc --help",
        r"libheif version: (\S+)",
        "apt install libheif-examples",
        _percent(10, 20, 28, 36, 44, 52, 60),
    ),
    Program(
        "opj_compress",
        "JPEG 2000 (OpenJPEG)",
        "opj_compress -i in.png -o coded.jp2 -I -q {q}",
        ("opj_decompress -i coded.jp2 -o out.ppm",),
        "opj_compress -h",
        r"openjp2 library v([\d.]+\d)",
        "apt install libopenjp2-tools",
        Scale(20, 60, 0.5, (27, 29, 31, 33, 36, 39, 42)),
    ),
    Program(
        "bpg",
        "BPG (bpgenc)",
        "bpgenc -f 444 -q {q} -o coded.bpg in.png",
        ("bpgdec -o out.png coded.bpg",),
        "bpgenc -h",
        r"BPG Image Encoder version (\S+)",
        "build libbpg from https://bellard.org/bpg and put bpgenc and bpgdec on PATH",
        Scale(51, 0, 1, (45, 41, 37, 33, 29, 25)),
    ),
)
