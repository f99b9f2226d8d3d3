"""jdcodec: an image codec that denoises while it compresses.

    data = jdcodec.encode(image, quality=5)
    pixels = jdcodec.decode(data)

Importing this package is cheap: torch is imported when a network runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = ["__version__", "decode", "encode"]

if TYPE_CHECKING:
    from jdcodec.codec.api import decode, encode


def __getattr__(name: str) -> object:
    """Import the codec on first use."""
    if name in ("decode", "encode"):
        from jdcodec.codec import api

        return getattr(api, name)
    raise AttributeError(f"module 'jdcodec' has no attribute {name!r}")
