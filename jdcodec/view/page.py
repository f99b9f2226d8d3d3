"""The page for one or two pictures: images that browsers decode, facts, and the slider of `page/`."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jdcodec.errors import PhotoError
from jdcodec.page import build_page

if TYPE_CHECKING:
    from .subject import Subject

_PAGE = Path(__file__).with_name("page")
#: Pictures of more pixels are shown as JPEG, since browsers are slow with tens of lossless megabytes.
LOSSLESS_PIXELS = 8_000_000
_JPEG_QUALITY = 97
_WEBP_MAX_SIDE = 16_383
#: How far two shapes may be apart: cameras crop their JPEG by some pixels, and so do RAW developers.
_SHAPE_TOLERANCE = 0.02


def view_page(subjects: Sequence[Subject], *, lossless: bool = False) -> bytes:
    """The HTML page of one picture, or of two over each other, the first on the left.

    Two pictures of different size are laid over each other at the size of the larger one. lossless: no JPEG
    for large pictures either. Raises PhotoError where two pictures differ in shape.
    """
    largest = max(subjects, key=lambda subject: subject.width)
    for subject in subjects:
        _check_shape(subject, largest)
    compressed = any(_is_large(subject) for subject in subjects) and not lossless
    data = {
        "pictures": [_picture(subject, lossless) for subject in subjects],
        "width": largest.width,
        "height": largest.height,
        "about": _about(subjects),
        "note": _note(subjects, compressed),
    }
    return build_page(_PAGE / "page.html", _PAGE / "page.css", (_PAGE / "view.js",), data)


def _check_shape(one: Subject, other: Subject) -> None:
    stretch = one.width * other.height / (one.height * other.width)
    if abs(stretch - 1) > _SHAPE_TOLERANCE:
        raise PhotoError(
            f"{one.name} is {one.width} × {one.height} and {other.name} {other.width} × {other.height}: "
            "pictures of different shapes cannot be laid over each other"
        )


def _picture(subject: Subject, lossless: bool) -> dict[str, Any]:
    kind, data = _image(subject, lossless)
    return {
        "name": subject.name,
        "summary": subject.summary,
        "facts": subject.facts,
        "type": kind,
        "base64": base64.b64encode(data).decode(),
    }


def _is_large(subject: Subject) -> bool:
    return subject.width * subject.height > LOSSLESS_PIXELS


def _image(subject: Subject, lossless: bool) -> tuple[str, bytes]:
    """MIME type and bytes of an image file of the pixels, without metadata."""
    from PIL import Image

    stream = io.BytesIO()
    image = Image.fromarray(subject.pixels)
    if _is_large(subject) and not lossless:
        image.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
        return "image/jpeg", stream.getvalue()
    if max(image.size) > _WEBP_MAX_SIDE:
        image.save(stream, "PNG", compress_level=1)
        return "image/png", stream.getvalue()
    image.save(stream, "WEBP", lossless=True, quality=0, method=0)
    return "image/webp", stream.getvalue()


def _about(subjects: Sequence[Subject]) -> str:
    """One line on the file sizes of two pictures, or on the one picture."""
    if len(subjects) == 1:
        return subjects[0].summary
    small, large = sorted(subjects, key=lambda subject: subject.size)
    share = 1 - small.size / large.size if large.size else 0.0
    if round(100 * share) == 0:
        return "The two files are of the same size."
    return f"{small.name} is {round(100 * share)} % smaller than {large.name}."


def _note(subjects: Sequence[Subject], compressed: bool) -> str:
    parts = []
    if len({subject.pixels.shape for subject in subjects}) > 1:
        parts.append("The pictures differ in size; the smaller one is stretched to match.")
    if compressed:
        parts.append(f"Large pictures are shown as JPEG of quality {_JPEG_QUALITY}.")
    return " ".join(parts)
