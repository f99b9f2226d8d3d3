"""The public functions of the package: `jdcodec.encode` and `jdcodec.decode`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.encoder import DEFAULT_EFFORT, EncodeSettings, encode_photo

if TYPE_CHECKING:
    from PIL.Image import Image


def encode(
    image: NDArray[Any] | Image | str | Path,
    *,
    quality: float = 5.0,
    denoise: float | Literal["auto"] = 1.0,
    model: str = "fast",
    device: str = "auto",
    effort: int = DEFAULT_EFFORT,
) -> bytes:
    """Code an image as `.jdc` bytes, less its noise.

    image: an array (H, W, 3) or (H, W) of uint8, uint16 or float32 in [0, 1], sRGB; a PIL image; or the
    path of a photo, RAW included. quality: 1 (smallest) to 8 (best). denoise: 0 (keep what the sensor
    saw) to 1 (the clean scene), or "auto": 1 for a photo with visible noise, else 0.
    model: "fast", "best", or the path of a weights file. device: "auto", "cpu", "cuda", …
    effort: 1 (fastest) to 9, how long to look for fewer bits; files of any effort decode alike.

    Raises jdcodec.errors.JdcError (PhotoError, LimitError, ModelError) with one line that says why.
    """
    from jdcodec.photo import from_array, read_photo

    photo = read_photo(image) if isinstance(image, (str, Path)) else from_array(image)
    return encode_photo(photo, EncodeSettings(quality, denoise, model, device, effort=effort))


def decode(
    data: bytes | bytearray | memoryview,
    *,
    device: str = "auto",
    dtype: str = "uint8",
    model: str | None = None,
    grain: float = 0.0,
) -> NDArray[Any]:
    """Decode `.jdc` bytes to pixels (H, W, 3), sRGB, of dtype "uint8", "uint16" or "float32" (0 to 1).

    model: a weights file to look in before the shipped ones, for files made with weights of one's own.
    grain: 0 (none) to 1, how much of the noise that was removed comes back, as synthetic grain of its look.
    Raises jdcodec.errors.JdcError (FormatError, DamagedError, LimitError, ModelError).
    """
    models = (model,) if model is not None else ()
    settings = DecodeSettings(dtype=dtype, device=device, models=models, grain=grain)
    return decode_bytes(memoryview(data), settings)
