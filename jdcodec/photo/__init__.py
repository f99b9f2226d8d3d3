"""Photographs in and out: camera RAW, ordinary images, metadata, colour, writing.

`Photo` and `ReadOptions` come with this import; the functions load NumPy and the decoders when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jdcodec.photo.photo import Photo, ReadOptions

if TYPE_CHECKING:
    from jdcodec.photo.read import from_array, read_photo
    from jdcodec.photo.write import encode_image, fitting_metadata

__all__ = ["Photo", "ReadOptions", "encode_image", "fitting_metadata", "from_array", "read_photo"]

_HOMES = {"from_array": "read", "read_photo": "read", "encode_image": "write", "fitting_metadata": "write"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"jdcodec.photo.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
