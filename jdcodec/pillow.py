"""Pillow plugin: after `import jdcodec.pillow`, Pillow opens and saves `.jdc` files like its own formats.

    import jdcodec.pillow
    from PIL import Image

    Image.open("photo.jpg").save("photo.jdc", quality=4)
    Image.open("photo.jdc").show()

Opening reads the header and the metadata; the network runs when pixels are asked for. A file that needs
weights of one's own is loaded with them first: `image.load(model="mine.safetensors")`. Programs that read
through Pillow gain the format with it; imageio has a plugin of its own in `jdcodec.imageio`. Pillow knows no
entry points: a format is there once its module has been imported.

Pillow empties a file before it asks a plugin for the new bytes. So the import also replaces `Image.save` by
one that codes first where a path ends in .jdc or the format is JDC, and does what it did for the rest.
"""

from __future__ import annotations

import functools
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from PIL import Image, ImageFile

from jdcodec.atomic import atomic_output, check_output
from jdcodec.container import SIGNATURE, Reader
from jdcodec.errors import JdcError

FORMAT = "JDC"
_ENDING = ".jdc"
_OPTIONS = ("quality", "denoise", "effort", "target_size", "target_bpp", "max_size", "strip")
_MACHINE_OPTIONS = ("model", "device", "precision")
# The mark of an `Image.save` that is ours.
_SAVES_WHOLE = "_jdcodec_saves_whole"


class JdcImageFile(ImageFile.ImageFile):
    """An open `.jdc` file, mode RGB or, of a gray photo, L, 8 bits; damage raises OSError, as Pillow has it.

    `info` has quality and denoise strength, and where the file has them exif, xmp and icc_profile.
    """

    format = FORMAT
    format_description = "jdcodec image"

    # Of an image that was pickled or copied, which has its pixels, and none of what `_open` sets.
    _decoded, _scale = True, 1
    _exclusive_fp = False
    _loading = threading.RLock()

    def _open(self) -> None:
        try:
            reader = Reader(self.fp)  # type: ignore[arg-type]
        except JdcError as error:
            raise OSError(str(error)) from error
        header, metadata = reader.header, reader.metadata
        self._size = (header.width, header.height)
        self._mode = "L" if header.gray else "RGB"
        self._decoded, self._loading = False, threading.RLock()
        # With the prefix, as other formats have it: JPEG is written with the block as it stands.
        exif = b"Exif\0\0" + metadata.exif if metadata.exif is not None else None
        found = {"exif": exif, "xmp": metadata.xmp, "icc_profile": metadata.icc}
        self.info |= {name: block for name, block in found.items() if block is not None}
        self.info |= {"quality": header.quality, "denoise": header.denoise}

    def draft(
        self, mode: str | None, size: tuple[float, float] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Let `load` decode a preview, fast, where `size` is at most half that of the image.

        As Pillow has it for JPEG, and `Image.thumbnail` asks for it: the preview is no smaller than `size` in
        either direction. The mode stays what it is. Returns it with the box of the whole picture in pixels of
        the preview, None where nothing changes.
        """
        if self._decoded or size is None:
            return None
        from jdcodec.codec.region import SCALES

        width, height = self.size
        scale = max((s for s in SCALES if width >= s * size[0] and height >= s * size[1]), default=1)
        if scale == 1 or self._scale != 1:
            return None
        self._scale, self._size = scale, (-(-width // scale), -(-height // scale))
        return self.mode, (0, 0, width / scale, height / scale)

    def load(self, *, model: str | None = None, device: str = "auto", grain: float = 0.0) -> Any:
        """Decode the pixels on first use; the options are those of `jdcodec.decode`.

        Raises OSError where the file is damaged or needs another model.
        """
        with self._loading:
            self._decode(model, device, grain)
            return super().load()

    def _decode(self, model: str | None, device: str, grain: float) -> None:
        if not self._decoded:
            import jdcodec

            assert self.fp is not None
            self.fp.seek(0)
            try:
                pixels = jdcodec.decode(
                    self.fp.read(), scale=self._scale, model=model, device=device, grain=grain
                )
            except JdcError as error:
                raise OSError(str(error).replace("with --model", "with image.load(model=…)")) from error
            # Pillow then closes the file if it was the one to open it, and takes the pixels from here.
            if self._exclusive_fp:
                self.fp.close()
            self.fp = io.BytesIO((pixels[..., 0] if self.mode == "L" else pixels).tobytes())
            # A tuple of one: given the mode as text, Pillow would map the file that it opened, and take its
            # bytes for the pixels of a gray image.
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, (self.mode,))]
            self._decoded = True

    def verify(self) -> None:
        """Check all checksums, without decoding; raises OSError where one fails. Then the image is closed."""
        from jdcodec.codec.verify import verify

        try:
            if not self._decoded and self.fp is not None:
                self.fp.seek(0)
                verdict = verify(self.fp.read())
                if not verdict.intact:
                    raise OSError(str(verdict))
        except JdcError as error:
            raise OSError(str(error)) from error
        finally:
            super().verify()


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Write what `jdcodec.encode` makes of an image; raises OSError, and then has written nothing.

    Options of `Image.save`: quality, denoise, effort, target_size, target_bpp, max_size, strip, model, device
    and precision as there; exif, xmp and icc_profile, which are the image's own where they are not given, and
    none where they are None or empty.
    """
    import jdcodec

    options: dict[str, Any] = dict(getattr(image, "encoderinfo", {}))
    settings = {name: options[name] for name in _OPTIONS + _MACHINE_OPTIONS if name in options}
    source = image.copy()
    source.info = _described(image, options)
    removed = [kind for kind in ("exif", "xmp") if kind in options and not options[kind]]
    if removed and isinstance(settings.get("strip", ""), str | None):
        # Only once it has been read: it may say how the pixels are to be turned.
        stripped = settings.get("strip")
        settings["strip"] = ",".join(removed if stripped is None else [stripped, *removed])
    quality = settings.get("quality")
    if isinstance(quality, (int, float)) and not 1 <= quality <= 8:
        raise OSError(
            f"quality must lie between 1 (smallest) and 8 (best), not {quality:g}: it is not JPEG's"
        )
    try:
        file.write(jdcodec.encode(source, **settings))
    except JdcError as error:
        raise OSError(str(error)) from error


def _described(image: Image.Image, options: dict[str, Any]) -> dict[Any, Any]:
    """The `info` of an image with the metadata that is given in its place.

    As Pillow has it, a profile that is given as None or empty is taken away, and not converted from.
    """
    from jdcodec.photo.images import exif_of

    # A copy of a TIFF no longer has its tags.
    info = {**image.info, "exif": exif_of(image)}
    for kind in ("exif", "xmp", "icc_profile"):
        given = options.get(kind)
        if given:
            info[kind] = _block(kind, given)
    if "icc_profile" in options and not options["icc_profile"]:
        info["icc_profile"] = None
    return info


def _block(kind: str, given: Any) -> bytes:
    """Metadata that is given, as bytes; raises OSError for what is none."""
    block = given.tobytes() if isinstance(given, Image.Exif) else given
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise OSError(f"{kind} must be bytes, not {type(given).__name__}")
    if kind == "exif":
        from jdcodec.photo.exif import upright

        try:
            upright(bytes(block).removeprefix(b"Exif\0\0"))
        except JdcError as error:
            raise OSError(f"exif: {error}") from error
    return bytes(block)


def _saving_whole(save: Callable[..., None]) -> Callable[..., None]:
    """`Image.save` that hands a path of ours its new bytes when they are complete. save: as it was before."""

    @functools.wraps(save)
    def save_whole(self: Image.Image, fp: Any, format: str | None = None, **params: Any) -> None:
        path = Path(os.fsdecode(fp)) if isinstance(fp, (str, bytes, os.PathLike)) else None
        if path is None or (format.upper() != FORMAT if format else path.suffix.lower() != _ENDING):
            save(self, fp, format, **params)
            return
        coded = io.BytesIO()
        try:
            check_output(path, force=True)
            save(self, coded, FORMAT, **params)
            with atomic_output(path, force=True) as file:
                file.write(coded.getbuffer())
        except JdcError as error:
            raise OSError(str(error)) from error

    setattr(save_whole, _SAVES_WHOLE, True)
    return save_whole


# A module may be imported anew. `functools.wraps` hands the mark on to whatever else wraps our function.
if not hasattr(Image.Image.save, _SAVES_WHOLE):
    Image.Image.save = _saving_whole(Image.Image.save)  # type: ignore[method-assign]
Image.register_open(FORMAT, JdcImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, _ENDING)
Image.register_mime(FORMAT, "image/x-jdc")
