"""jdcodec: an image codec that denoises while it compresses.

    data = jdcodec.encode(image, quality=5)
    pixels = jdcodec.decode(data)
    picture = jdcodec.read("photo.jdc")  # pixels and metadata
    facts = jdcodec.info("photo.jdc")  # without decoding
    verdict = jdcodec.verify("photo.jdc")

Importing this package is cheap: the codec is imported when a function is first used, and what runs the
networks (OpenVINO on processors, torch on GPUs) when one runs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "Info",
    "JdcError",
    "Picture",
    "Verdict",
    "__version__",
    "decode",
    "encode",
    "info",
    "read",
    "verify",
]

if TYPE_CHECKING:
    from jdcodec.codec.api import decode, encode, info, read, verify
    from jdcodec.codec.info import Info
    from jdcodec.codec.picture import Picture
    from jdcodec.codec.verify import Verdict
    from jdcodec.errors import JdcError

_HOMES = {
    **dict.fromkeys(("decode", "encode", "info", "read", "verify"), "jdcodec.codec.api"),
    "Info": "jdcodec.codec.info",
    "Picture": "jdcodec.codec.picture",
    "Verdict": "jdcodec.codec.verify",
    "JdcError": "jdcodec.errors",
}


def __getattr__(name: str) -> Any:
    """Import the codec on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
