"""Colour: from what an ICC profile, or the file in another way, describes to sRGB, which is what is coded.

Matrix and gray profiles, which nearly all photographs have, are computed here at full precision. The rest
(tables, CMYK) goes through Little CMS at 8 bits. Source: ICC.1:2022, section 10; IEC 61966-2-1 for sRGB.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jdcodec.errors import PhotoError
from jdcodec.photo.bands import in_bands
from jdcodec.photo.depth import to_8_bit, to_16_bit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jdcodec.photo.colour_space import ColourSpace
    from jdcodec.photo.photo import Pixels

# Columns: XYZ of the red, green and blue primaries of sRGB, adapted to D50, as its ICC profile has them.
_SRGB_TO_XYZ_D50 = np.array(
    [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
)

_XYZ_D50_TO_SRGB = np.linalg.inv(_SRGB_TO_XYZ_D50)

# From XYZ to the responses of cones, for the adaptation to another white.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

# Profiles this close to sRGB, in steps of 8 bits, are sRGB: many programs write their own version of it.
_SAME_AS_SRGB = 1.0


@dataclass(frozen=True, slots=True)
class _Profile:
    """A matrix profile: three curves (65,536 entries, 0 to 1) and the matrix from linear RGB to XYZ (D50).

    A gray profile has its curve three times, and sRGB's matrix.
    """

    curves: tuple[NDArray[np.float64], ...]
    to_xyz: NDArray[np.float64]


def to_srgb(
    pixels: Pixels, profile: bytes | None, space: str, described: ColourSpace | None = None
) -> tuple[Pixels, tuple[str, ...]]:
    """Convert pixels to sRGB, and say in notes what was done.

    pixels: (H, W, C) uint8 or uint16, C = 1, 3 or 4 for space "GRAY", "RGB" or "CMYK". Gives (H, W, 1) for
    gray and (H, W, 3) for the others, the same type. A profile that is damaged, or for another kind of image,
    is ignored, and a note says so. Without one, gray and RGB are what the file described in another way, and
    else taken for sRGB.
    """
    notes: tuple[str, ...] = ()
    if profile is not None:
        try:
            return from_profile(pixels, profile, space)
        except PhotoError as error:
            notes = (f"The colour profile was ignored: {error}.",)
    if space == "CMYK":
        return _from_plain_cmyk(pixels), notes or (_PLAIN_CMYK,)
    if described is None or described.is_srgb(gray=space == "GRAY"):
        return pixels, notes
    if described.chromaticities is None:
        return pixels, (*notes, f"The colours are described as {described.name}; they were taken for sRGB.")
    try:
        converted = _convert(pixels, _described_profile(described))
    except PhotoError as error:
        return pixels, (*notes, f"What the file says of its colours was ignored: {error}.")
    return converted, (*notes, f"The colours were converted from {described.name} to sRGB.")


def from_profile(pixels: Pixels, profile: bytes, space: str) -> tuple[Pixels, tuple[str, ...]]:
    """As `to_srgb`, from a profile that has to be of use: raises `PhotoError` where that ignores it.

    Relative colorimetric; colours that sRGB does not have are clipped.
    """
    matrix_profile = _parse(profile, space)
    if matrix_profile is None:
        return _through_lcms(pixels, profile, space)
    if _is_srgb(matrix_profile):
        return pixels, ()
    return _convert(pixels, matrix_profile), (
        "The colours were converted from the embedded profile to sRGB.",
    )


_PLAIN_CMYK = "The CMYK colours have no profile; they were converted by the plain formula."


def _from_plain_cmyk(pixels: Pixels) -> Pixels:
    """(H, W, 4) ink amounts, 0 = none, to (H, W, 3): what three ideal inks and black would reflect."""
    top = np.iinfo(pixels.dtype).max

    def reflected(inks: Pixels) -> Pixels:
        light = top - inks.astype(np.uint32)
        return (light[..., :3] * light[..., 3:] + top // 2) // top

    return in_bands(reflected, np.empty((*pixels.shape[:2], 3), pixels.dtype), pixels)


def _through_lcms(pixels: Pixels, profile: bytes, space: str) -> tuple[Pixels, tuple[str, ...]]:
    """Convert with Little CMS, at 8 bits."""
    from PIL import Image, ImageCms

    deep = pixels.dtype == np.uint16
    mode = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}[space]
    eight_bit = np.ascontiguousarray(to_8_bit(pixels))
    image = Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), eight_bit.tobytes())
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        raise PhotoError("it is damaged or for another kind of image") from error
    if converted is None:
        raise PhotoError("it is damaged or for another kind of image")
    rgb = np.asarray(converted)
    note = "The colours were converted from the embedded profile to sRGB"
    # A gray profile gives three channels that are equal up to rounding.
    rgb = rgb[..., 1:2] if space == "GRAY" else rgb
    if deep:
        return to_16_bit(rgb), (note + ", at 8 bits.",)
    return rgb, (note + ".",)


def _convert(pixels: Pixels, profile: _Profile) -> Pixels:
    """Pixels of a matrix profile, (H, W, 1 or 3), in sRGB."""
    top = np.iinfo(pixels.dtype).max
    steps = np.linspace(0, 65_535, top + 1).round().astype(np.intp)
    curves = [curve[steps].astype(np.float32) for curve in profile.curves]
    matrix = (_XYZ_D50_TO_SRGB @ profile.to_xyz).astype(np.float32)

    def converted(band: Pixels) -> Pixels:
        if band.shape[2] == 1:
            linear = curves[0][band]
        else:
            linear = np.stack([curve[band[..., i]] for i, curve in enumerate(curves)], axis=-1) @ matrix.T
        encoded: Pixels = np.rint(_srgb_encode(linear) * np.float32(top))
        return encoded

    return in_bands(converted, np.empty_like(pixels), pixels)


def _srgb_encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light, clipped to 0…1, to sRGB's nonlinear values. IEC 61966-2-1."""
    light = np.clip(linear, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** np.float32(1 / 2.4) - 0.055)


def _described_profile(space: ColourSpace) -> _Profile:
    """The profile of a space whose chromaticities are known; raises `PhotoError` where they are nonsense."""
    power = space.power
    if power is not None and not 0.1 <= power <= 10:
        raise PhotoError("it makes no sense")
    x = np.linspace(0, 1, 65_536)
    curve = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4) if power is None else x**power
    matrix = _SRGB_TO_XYZ_D50 if space.has_srgb_primaries else _to_xyz_d50(np.array(space.chromaticities))
    return _Profile((curve, curve, curve), matrix)


def _to_xyz_d50(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ (D50). xy: (4, 2) chromaticities of red, green, blue and white.

    Each primary is scaled so that they add up to white, and white is adapted to D50 by Bradford's method.
    Raises `PhotoError` for primaries that make no triangle around white. Source: ICC.1:2022, annex E.
    """
    if (xy < 0).any() or (xy[:, 1] == 0).any():
        raise PhotoError("it makes no sense")
    columns = np.stack([xy[:, 0], xy[:, 1], 1 - xy.sum(axis=1)]) / xy[:, 1]
    primaries, white = columns[:, :3], columns[:, 3]
    if abs(np.linalg.det(primaries)) < 1e-6:
        raise PhotoError("it makes no sense")
    scales = np.linalg.solve(primaries, white)
    if (scales <= 0).any():
        raise PhotoError("it makes no sense")
    # Of the white that the matrix of sRGB has, so that gray stays gray to the last bit.
    cones = (_BRADFORD @ _SRGB_TO_XYZ_D50.sum(axis=1)) / (_BRADFORD @ white)
    matrix: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ (primaries * scales)
    return matrix


def _is_srgb(profile: _Profile) -> bool:
    """Whether converting leaves a grid of colours within one step of 8 bits."""
    levels = np.linspace(0, 65_535, 18).astype(np.uint16)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    difference = np.abs(_convert(grid, profile).astype(np.int32) - grid)
    return bool(difference.max() <= _SAME_AS_SRGB * 257)


def _parse(profile: bytes, space: str) -> _Profile | None:
    """The curves and the matrix of a profile; None where it holds tables and is work for Little CMS.

    Raises `PhotoError` where it is no profile for an image of this space.
    """
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise PhotoError("it is damaged")
    kind, connection = profile[16:20], profile[20:24]
    # A gray photo may carry the RGB profile of the camera: gray is R = G = B.
    if kind.strip() != space.encode() and (kind, space) != (b"RGB ", "GRAY"):
        raise PhotoError(f"it is for {kind.decode('ascii', 'replace').strip()} and the image is {space}")
    tags = _tag_table(profile)
    if connection != b"XYZ " or b"A2B0" in tags or space == "CMYK":
        if kind.strip() != space.encode():
            raise PhotoError("it is a table for RGB and the image is gray")
        return None
    try:
        if kind == b"GRAY":
            curve = _curve(tags[b"kTRC"])
            return _Profile((curve, curve, curve), _SRGB_TO_XYZ_D50)
        curve_tags = [tags[name] for name in (b"rTRC", b"gTRC", b"bTRC")]
        # The three are nearly always one and the same.
        curve_of = {tag: _curve(tag) for tag in set(curve_tags)}
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    except (KeyError, struct.error):
        raise PhotoError("it is damaged") from None
    return _Profile(tuple(curve_of[tag] for tag in curve_tags), np.array(columns).T)


def _tag_table(profile: bytes) -> dict[bytes, bytes]:
    """Signature → data of every tag that lies inside the profile."""
    count = min(struct.unpack_from(">I", profile, 128)[0], (len(profile) - 132) // 12)
    table = {}
    for i in range(count):
        signature, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        if offset + size <= len(profile):
            table[signature] = profile[offset : offset + size]
    return table


def _xyz(tag: bytes) -> tuple[float, float, float]:
    """The first XYZ number of an 'XYZ ' tag, as s15Fixed16."""
    x, y, z = struct.unpack_from(">3i", tag, 8)
    return x / 65_536, y / 65_536, z / 65_536


def _curve(tag: bytes) -> NDArray[np.float64]:
    """A 'curv' or 'para' tag at 65,536 points, 0 to 1. ICC.1:2022, 10.6 and 10.18."""
    x = np.linspace(0, 1, 65_536)
    if tag[:4] == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return x
        table = np.frombuffer(tag[12 : 12 + 2 * count], ">u2")
        if len(table) != count:
            raise PhotoError("it is damaged")
        if count == 1:
            return np.asarray(x ** (float(table[0]) / 256))
        return np.interp(x, np.linspace(0, 1, count), table / 65_535.0)
    if tag[:4] != b"para":
        raise PhotoError("it is damaged")
    kind = struct.unpack_from(">H", tag, 8)[0]
    if kind > 4:
        raise PhotoError("it is damaged")
    size = (1, 3, 4, 5, 7)[kind]
    g, *rest = (value / 65_536 for value in struct.unpack_from(f">{size}i", tag, 12))
    # Type by type, what the shorter forms leave out: (a·x + b)^g + c from d on, below it e·x + f.
    a, b, c, d, e, f = _full_parameters(kind, rest)
    with np.errstate(all="ignore"):
        y = np.where(x >= d, np.maximum(a * x + b, 0) ** g + c, e * x + f)
    return np.clip(np.nan_to_num(y, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)


def _full_parameters(kind: int, rest: list[float]) -> tuple[float, float, float, float, float, float]:
    """a, b, c, d, e, f of a parametric curve as its type 4 has them, from those that each type holds."""
    if kind == 0:
        return 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 4:
        a, b, e, d, c, f = rest
        return a, b, c, d, e, f
    if kind == 3:
        a, b, e, d = rest
        return a, b, 0.0, d, e, 0.0
    a, b, *constant = rest
    c = constant[0] if constant else 0.0
    # Types 1 and 2 start where a·x + b reaches 0, and are constant below.
    return a, b, c, -b / a if a else 0.0, 0.0, c
