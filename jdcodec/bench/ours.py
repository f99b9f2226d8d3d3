"""jdc under test: `jdcodec.encode` and `jdcodec.decode`, as everybody calls them, and its denoiser alone."""

from __future__ import annotations

import hashlib
import re
import sys
from functools import lru_cache
from pathlib import Path

import jdcodec
from jdcodec.codec.encoder import DEFAULT_EFFORT, MAX_EFFORT
from jdcodec.errors import ModelError, OptionError

from .codec import Scale, Unavailable
from .denoisers import Denoiser
from .libraries import Library
from .metrics import Pixels

SCALE = Scale(1, 8, 1 / 32, (1, 2, 3, 4, 5, 6, 7, 8))

_NAME = re.compile(r"jdc(?::(?P<model>[^@^]+))?(?:@(?P<strength>[^@^]+))?(?:\^(?P<effort>[^@^]+))?")
_FORM = "jdc:MODEL@STRENGTH^EFFORT, of which all but jdc may be left out"


def is_ours(name: str) -> bool:
    """Whether `name` is one of jdc's: "jdc", "jdc:best", "jdc@0", "jdc:weights/mine.safetensors@0.5^9"."""
    return _NAME.fullmatch(name) is not None


def ours(name: str = "jdc", *, model: str = "fast", denoise: float = 1.0, device: str = "auto") -> Library:
    """jdc as a library under test. What its name says, `jdc:MODEL@STRENGTH^EFFORT`, is used first.

    Raises JdcError for a name of another form, a strength outside [0, 1] and an effort outside 1 … 9.
    """
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise OptionError(f"{name!r} is not of the form {_FORM}")
    model = parts["model"] or model
    strength = _strength(name, parts["strength"] or denoise)
    effort = _effort(name, parts["effort"])

    def encode(pixels: Pixels, quality: float) -> bytes:
        return jdcodec.encode(
            pixels, quality=quality, denoise=strength, effort=effort, model=model, device=device
        )

    def decode(data: bytes) -> Pixels:
        return jdcodec.decode(data, device=device, model=model)

    options = f"denoise={strength:g}, model={model!r}, device={device!r}"
    title = Path(model).stem + (f", denoise {strength:g}" if strength != 1 else "")
    if effort != DEFAULT_EFFORT:
        options, title = f"effort={effort}, {options}", f"{title}, effort {effort}"
    return Library(
        name=name,
        title=f"jdc ({title})",
        scale=SCALE,
        load=lambda: _version(model, name),
        encode=encode,
        decode=decode,
        describe=lambda quality: f"jdcodec.encode(image, quality={quality:g}, {options})",
        compiled=_graphs_compiled,
    )


def our_denoiser(model: str = "fast", device: str = "auto") -> Denoiser:
    """jdc's own blind denoiser, the stem of its encoder, alone and at full strength: "stem" before a `+`."""
    return Denoiser(
        name="stem",
        title=f"jdc's denoiser ({Path(model).stem})",
        load=lambda: _version(model, "stem"),
        denoise=lambda pixels: _denoise(pixels, model, device),
        compiled=_graphs_compiled,
    )


def _strength(name: str, value: str | float) -> float:
    try:
        strength = float(value)
    except ValueError:
        strength = -1.0
    if not 0 <= strength <= 1:
        raise OptionError(f"{name}: the strength of denoising is a number from 0 to 1, not {value}")
    return strength


def _effort(name: str, value: str | None) -> int:
    if value is None:
        return DEFAULT_EFFORT
    if not value.isdecimal() or not 1 <= int(value) <= MAX_EFFORT:
        raise OptionError(f"{name}: the effort is a whole number from 1 to {MAX_EFFORT}, not {value}")
    return int(value)


def _version(model: str, name: str) -> str:
    """Version, a hash of the code that files depend on, and of weights. Raises Unavailable without any."""
    from jdcodec.codec.denoisers import luma_denoiser_id
    from jdcodec.codec.weights import find_model

    try:
        weights = find_model(model)
        identity, denoiser = weights.model_id.hex(), luma_denoiser_id(weights)
    except ModelError as error:
        raise Unavailable(f"{name}: {error}") from error
    beside = f", luma denoiser {denoiser[:8]}" if denoiser else ""
    return f"jdcodec {jdcodec.__version__}, code {_code()[:8]}, model {identity[:12]}{beside}"


@lru_cache(maxsize=1)
def _code() -> str:
    """SHA-256 over the modules that make files and pictures: points of another encoder are other points."""
    digest = hashlib.sha256()
    for package in ("codec", "container", "entropy", "inference", "model"):
        for path in sorted(Path(jdcodec.__file__).with_name(package).rglob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _graphs_compiled() -> int:
    """Graphs that OpenVINO has compiled so far: some for each size of picture and quality."""
    module = sys.modules.get("jdcodec.inference.on_openvino")
    return module.Network.compilations if module else 0


def _denoise(pixels: Pixels, model: str, device: str) -> Pixels:
    """The picture less all noise that the codec's stem finds in it, window by window as in the encoder."""
    from jdcodec.codec.denoised import without_noise
    from jdcodec.codec.denoisers import with_denoiser_for
    from jdcodec.codec.runtime import start_inference
    from jdcodec.codec.weights import Weights, find_model
    from jdcodec.inference.interface import Inference

    def start(weights: Weights) -> Inference:
        return start_inference(weights, SCALE.best, device=device)

    return without_noise(pixels, start(with_denoiser_for(pixels, find_model(model), start)), 1.0)
