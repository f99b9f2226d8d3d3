"""The public functions of the package, as `jdcodec` has them: encode, decode, read, info, verify.

They run what the commands run, under the words that the commands have for it. What a caller hands in is
checked here, so that a wrong type is one line, too.
"""

from __future__ import annotations

import io
import operator
import os
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from jdcodec.codec.decoder import DecodeSettings
from jdcodec.codec.encoder import DEFAULT_EFFORT, EncodeSettings, encode_photo
from jdcodec.codec.info import Info, read_info
from jdcodec.codec.picture import Picture, Reading, read_picture
from jdcodec.codec.region import Region, View
from jdcodec.codec.target import size_goal
from jdcodec.codec.verify import Verdict, verify_symbols
from jdcodec.codec.verify import verify as verify_sections
from jdcodec.container import Limits
from jdcodec.container.layout import DEFAULT_LIMITS
from jdcodec.errors import JdcError, PhotoError

if TYPE_CHECKING:
    from PIL.Image import Image

    from jdcodec.photo import Photo

#: A file: its path, its bytes, or a binary file open for reading, which is read from where it stands.
Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO


def encode(
    image: NDArray[Any] | Image | Source,
    *,
    quality: float | None = None,
    denoise: float | Literal["auto"] = 1.0,
    effort: int = DEFAULT_EFFORT,
    target_size: float | str | None = None,
    target_bpp: float | None = None,
    max_size: float | str | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    icc: bytes | None = None,
    strip: str | None = None,
    white_balance: Literal["camera", "auto", "daylight"] = "camera",
    exposure: float = 0.0,
    auto_brighten: bool = False,
    model: str | os.PathLike[str] = "fast",
    device: str = "auto",
    precision: str = "auto",
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> bytes:
    """Code an image as `.jdc` bytes, less its noise.

    image: an array (H, W, 3) or (H, W) of uint8, uint16 or floats in [0, 1], sRGB and upright; a PIL image;
    or a photo, RAW included: its path, its bytes, or a binary file.
    quality: 1 (smallest) to 8 (best); None: 5. Above 6 a noisy photo is coded at a quality up to 1/2 lower,
    as more bits would go into noise; `info` has the one it got. denoise: 0 (keep what the sensor saw) to 1
    (the clean scene), or "auto": 1 for a photo with visible noise, else 0.
    effort: 1 (fastest) to 9, how long to look for fewer bits; files of any effort decode alike.

    A size instead of a quality, one of: target_size, bytes or text as "300kB", and target_bpp, bits per
    pixel, are hit within 2 % and leave no choice of quality; max_size is never passed, and lowers the quality
    where it has to.

    exif: a TIFF structure, with the prefix of JPEG files or without, and xmp: an XMP packet, to keep in the
    place of the photo's own; empty ones leave it out. The pixels are not turned by them: their orientation is
    set to 1, and the thumbnail of EXIF is left out. icc: the profile of an array's values, which are
    converted to sRGB; photos and PIL images bring their own.
    strip: metadata to leave out, as "gps", "exif,xmp" or "all"; "gps" takes the place out of EXIF and XMP.

    white_balance: "camera", "auto" or "daylight"; exposure: -10 to 10 stops; auto_brighten: until 1 % of the
    pixels are white. They say how RAW is developed, and do nothing to other images.

    model: "fast", the one that is shipped, or the path of a weights file. device: "auto", "cpu", "cuda", ….
    precision: "auto", "fp32" or "bf16". max_pixels, max_side: larger images are refused; None: 400,000,000 in
    all, 65,535 a side.

    Raises jdcodec.JdcError with one line that says why: PhotoError (the image or its metadata), LimitError
    (too large; a size that cannot be had), ModelError (model, device, precision).
    """
    goal = size_goal(
        quality,
        _size("target_size", target_size),
        None if target_bpp is None else _number("target_bpp", target_bpp),
        _size("max_size", max_size),
    )
    settings = EncodeSettings(
        EncodeSettings.quality if quality is None else _number("quality", quality),
        denoise if isinstance(denoise, str) else _number("denoise", denoise),
        _path("model", model),
        _text("device", device),
        _text("precision", precision),
        limits=_limits(max_pixels, max_side),
        size=goal,
        effort=_whole("effort", effort),
    )
    from jdcodec.photo import ReadOptions
    from jdcodec.photo.metadata import MetadataBlocks, parse_kinds
    from jdcodec.photo.metadata import strip as stripped

    options = ReadOptions(
        _text("white_balance", white_balance),  # type: ignore[arg-type]  # checked there
        _number("exposure", exposure),
        bool(auto_brighten),
        settings.limits.max_side,
        settings.limits.max_pixels,
    )
    kinds = parse_kinds(_text("strip", strip)) if strip is not None else frozenset[str]()
    photo = _with_metadata(_photo(image, options, icc), exif, xmp)
    kept = stripped(MetadataBlocks(photo.exif, photo.xmp, photo.icc), kinds)
    return encode_photo(replace(photo, exif=kept.exif, xmp=kept.xmp, icc=kept.icc), settings)


def decode(
    data: Source,
    *,
    dtype: DTypeLike = "uint8",
    region: Sequence[int] | None = None,
    scale: int = 1,
    grain: float = 0.0,
    model: str | os.PathLike[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> NDArray[Any]:
    """Decode a `.jdc` file to pixels (H, W, 3), sRGB, of dtype uint8, uint16 or float32 (0 to 1).

    data: bytes of a file, its path, or a binary file.
    region: (x, y, width, height) in pixels of the whole picture; only this rectangle is decoded. scale: 1, 2,
    4, 8 or 16, a preview so many times smaller in each direction, fast; a region is widened to whole pixels
    of it. grain: 0 (none) to 1, how much of the noise that was removed comes back, as synthetic grain of
    its look.
    model: a weights file to look in before the shipped ones, for files made with weights of one's own.
    device: "auto", "cpu", "cuda", …. precision: "auto", "fp32" or "bf16".
    max_pixels, max_side: as in `encode`.

    Raises jdcodec.JdcError with one line that says why: FormatError (no `.jdc` file), DamagedError (changed
    or cut), LimitError (too large), ModelError (its model is not at hand), PhotoError (cannot be read).
    `read` has the metadata, too, and what is left of a damaged file.
    """
    return read(
        data,
        dtype=dtype,
        region=region,
        scale=scale,
        grain=grain,
        model=model,
        device=device,
        precision=precision,
        max_pixels=max_pixels,
        max_side=max_side,
    ).pixels


def read(
    data: Source,
    *,
    dtype: DTypeLike = "uint8",
    region: Sequence[int] | None = None,
    scale: int = 1,
    grain: float = 0.0,
    salvage: bool = False,
    model: str | os.PathLike[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> Picture:
    """As `decode`, with what else the file holds: `pixels`, `metadata` and `damage`.

    metadata: exif (a TIFF structure), xmp, icc (of the pixels; None: sRGB) and grain as bytes, each None
    where the file has none. damage: "", or with `salvage` one line on what is damaged in the file.
    salvage: decode what is undamaged of a damaged file and hatch the rest, instead of raising DamagedError;
    where nothing is left, it is raised all the same.
    """
    settings = DecodeSettings(
        dtype=_dtype_name(dtype),
        device=_text("device", device),
        precision=_text("precision", precision),
        models=_models(model),
        limits=_limits(max_pixels, max_side),
        grain=_number("grain", grain),
    )
    view = View(_region(region), _whole("scale", scale))
    with _opened(data) as file:
        return read_picture(file, Reading(settings, view, bool(salvage)))


def info(data: Source, *, max_pixels: int | None = None, max_side: int | None = None) -> Info:
    """Size, quality, metadata and more of a `.jdc` file, without decoding it.

    data: bytes of a file, its path, or a binary file. max_pixels, max_side: as in `encode`. Raises
    jdcodec.JdcError as `decode` does.
    """
    with _opened(data) as file:
        return read_info(file, _limits(max_pixels, max_side))


def verify(
    data: Source,
    *,
    symbols: bool = False,
    model: str | os.PathLike[str] | None = None,
    max_pixels: int | None = None,
    max_side: int | None = None,
) -> Verdict:
    """Check all checksums of a `.jdc` file, without decoding it: `intact`, `lost` tiles and `problems`.

    data: bytes of a file, its path, or a binary file. symbols: decode the tiles' symbols, too, which is
    slower and needs the file's model; model: a weights file to look in before the shipped ones.
    max_pixels, max_side: as in `encode`. Raises jdcodec.JdcError where not even the header is of use, or the
    model is not at hand.
    """
    models, allowed = _models(model), _limits(max_pixels, max_side)
    with _opened(data) as file:
        content = file.read()
        return verify_symbols(content, allowed, models) if symbols else verify_sections(content, allowed)


def _photo(image: NDArray[Any] | Image | Source, options: Any, icc: bytes | None) -> Photo:
    """The photo in an image; icc: the profile of an array's values."""
    from jdcodec.photo import from_array, read_photo

    if icc is not None and not isinstance(image, np.ndarray):
        raise PhotoError("icc is the profile of an array's values; photos and PIL images bring their own")
    if isinstance(image, str | os.PathLike):
        return read_photo(_path("image", image), options)
    if isinstance(image, (bytes, bytearray, memoryview)) or hasattr(image, "read"):
        _refuse_text_file(image)
        return read_photo(image, options)  # type: ignore[arg-type]
    photo = from_array(image, options)
    return photo if icc is None else _converted(photo, _bytes("icc", icc))


def _converted(photo: Photo, icc: bytes) -> Photo:
    """A photo from an array whose values are those of a profile, in sRGB; raises PhotoError."""
    from jdcodec.photo.colour import from_profile

    values = photo.pixels[..., :1] if photo.is_gray else photo.pixels
    try:
        pixels, _ = from_profile(values, icc, "GRAY" if photo.is_gray else "RGB")
    except PhotoError as error:
        raise PhotoError(f"icc: the colour profile cannot be used: {error}") from error
    return replace(photo, pixels=np.repeat(pixels, 3, axis=2) if photo.is_gray else pixels)


def _with_metadata(photo: Photo, exif: bytes | None, xmp: bytes | None) -> Photo:
    """The photo with other metadata, where they are given; raises PhotoError for EXIF that is none."""
    from jdcodec.photo.exif import as_srgb, says_adobe_rgb, upright, upright_xmp

    if exif == b"":
        photo = replace(photo, exif=None)
    elif exif is not None:
        try:
            block = upright(_bytes("exif", exif).removeprefix(b"Exif\0\0"))
        except PhotoError as error:
            raise PhotoError(f"exif: {error}") from error
        # The pixels are sRGB by now, whatever those were that it was written for.
        photo = replace(photo, exif=as_srgb(block) if says_adobe_rgb(block) else block)
    if xmp is not None:
        photo = replace(photo, xmp=upright_xmp(_bytes("xmp", xmp)) or None)
    return photo


def _size(name: str, value: object) -> float | str | None:
    """A size as a number, text or None; raises JdcError. Text and ranges are checked where it is used."""
    return value if value is None or isinstance(value, str) else _number(name, value)


def _region(region: Sequence[int] | None) -> Region | None:
    if region is None:
        return None
    try:
        x, y, width, height = map(operator.index, region)
    except (TypeError, ValueError) as error:
        raise JdcError("region must be (x, y, width, height), four whole numbers of pixels") from error
    return Region(x, y, width, height)


def _limits(max_pixels: int | None, max_side: int | None) -> Limits:
    given = {"max_pixels": max_pixels, "max_side": max_side}
    whole = {name: _whole(name, value) for name, value in given.items() if value is not None}
    return replace(DEFAULT_LIMITS, **whole)


def _dtype_name(dtype: DTypeLike) -> str:
    try:
        return np.dtype(dtype).name
    except (TypeError, ValueError):
        return str(dtype)


def _models(model: str | os.PathLike[str] | None) -> tuple[str, ...]:
    return () if model is None else (_path("model", model),)


@contextmanager
def _opened(data: Source) -> Iterator[BinaryIO]:
    """A file open for reading, seekable, from its beginning.

    Errors of a file on the disk become PhotoError, and all of them begin with its path.
    """
    if not isinstance(data, (str, os.PathLike)):
        yield io.BytesIO(_content(data))
        return
    name = _path("data", data)
    try:
        with Path(name).open("rb") as file:
            yield file if file.seekable() else io.BytesIO(file.read())
    except OSError as error:
        raise PhotoError(f"{name}: {error.strerror or error}") from error
    except JdcError as error:
        raise type(error)(f"{name}: {error}") from error


def _content(data: Any) -> bytes:
    """What a buffer or a binary file holds; raises JdcError for anything else, PhotoError if unreadable."""
    if not hasattr(data, "read"):
        try:
            return memoryview(data).tobytes()
        except TypeError as error:
            raise JdcError(f"must be bytes, a path or a binary file, not {_named(data)}") from error
    _refuse_text_file(data)
    try:
        return bytes(data.read())
    except (OSError, ValueError) as error:
        raise PhotoError(f"cannot be read: {error}") from error


def _refuse_text_file(file: object) -> None:
    if isinstance(file, io.TextIOBase):
        raise JdcError("the file is open for text; open it for bytes, with mode 'rb'")


def _number(name: str, value: object) -> float:
    """A number as a float; raises JdcError. Ranges are checked where it is used."""
    if not isinstance(value, Real):
        raise JdcError(f"{name} must be a number, not {_named(value)}")
    try:
        return float(value)
    except OverflowError as error:
        raise JdcError(f"{name} is beyond all numbers it can be") from error


def _whole(name: str, value: object) -> int:
    """A whole number, NumPy's included; raises JdcError. Ranges are checked where it is used."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise JdcError(f"{name} must be a whole number, not {_named(value)}") from error


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise JdcError(f"{name} must be text, not {_named(value)}")
    return value


def _path(name: str, value: object) -> str:
    """A path, or the name of a model, as text; raises JdcError."""
    if not isinstance(value, (str, os.PathLike)):
        raise JdcError(f"{name} must be a path or a name, not {_named(value)}")
    path = os.fsdecode(value)
    if not path:
        raise JdcError(f"{name} is empty, and no path")
    if "\0" in path:
        raise JdcError(f"{name} is no path: it holds a null character")
    return path


def _bytes(name: str, value: object) -> bytes:
    if not isinstance(value, (bytes, bytearray, memoryview)):
        raise PhotoError(f"{name} must be bytes, not {_named(value)}")
    return bytes(value)


def _named(value: object) -> str:
    """A wrong value for a message of one line: text as it is, of all else its type."""
    return reprlib.repr(value) if isinstance(value, str | float) else type(value).__name__
