"""Pillow plugin: after `import jdcodec.pillow`, Pillow opens and saves `.jdc` files like its own formats.

    import jdcodec.pillow
    from PIL import Image

    Image.open("photo.jpg").save("photo.jdc", quality=4)
    Image.open("photo.jdc").show()

Opening reads the header and the metadata; the network runs when pixels are asked for. Programs that read
through Pillow gain the format with it; imageio has a plugin of its own in `jdcodec.imageio`. Pillow knows no
entry points: a format is there once its module has been imported.
"""

from __future__ import annotations

import io
from typing import IO, Any

from PIL import Image, ImageFile

from jdcodec.container import SIGNATURE, Reader
from jdcodec.errors import JdcError

FORMAT = "JDC"


class JdcImageFile(ImageFile.ImageFile):
    """An open `.jdc` file, mode RGB or, of a gray photo, L, 8 bits; damage raises OSError, as Pillow has it.

    `info` has quality and denoise strength, and where the file has them exif, xmp and icc_profile.
    """

    format = FORMAT
    format_description = "jdcodec image"

    def _open(self) -> None:
        try:
            reader = Reader(self.fp)  # type: ignore[arg-type]
        except JdcError as error:
            raise OSError(str(error)) from error
        header, metadata = reader.header, reader.metadata
        self._size = (header.width, header.height)
        self._mode = "L" if header.gray else "RGB"
        self._decoded = False
        found = {"exif": metadata.exif, "xmp": metadata.xmp, "icc_profile": metadata.icc}
        self.info |= {name: block for name, block in found.items() if block is not None}
        self.info |= {"quality": header.quality, "denoise": header.denoise}

    def load(self) -> Any:
        """Decode the pixels on first use; raises OSError where the file is damaged or needs another model."""
        if not self._decoded:
            import jdcodec

            assert self.fp is not None
            self.fp.seek(0)
            try:
                pixels = jdcodec.decode(self.fp.read())
            except JdcError as error:
                raise OSError(str(error)) from error
            # Pillow then closes the file if it was the one to open it, and takes the pixels from here.
            if self._exclusive_fp:
                self.fp.close()
            self.fp = io.BytesIO((pixels[..., 0] if self.mode == "L" else pixels).tobytes())
            self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]
            self._decoded = True
        return super().load()


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Write what `jdcodec.encode` makes of an image.

    Options of `Image.save`: quality, denoise, model, device and effort as there; exif, xmp and icc_profile.
    """
    import jdcodec

    options: dict[str, Any] = dict(getattr(image, "encoderinfo", {}))
    kinds = ("exif", "xmp", "icc_profile")
    blocks: dict[Any, Any] = {kind: options[kind] for kind in kinds if options.get(kind)}
    if isinstance(blocks.get("exif"), Image.Exif):
        blocks["exif"] = blocks["exif"].tobytes()
    source = image.copy()
    source.info = {**image.info, **blocks}
    names = ("quality", "denoise", "model", "device", "effort")
    settings = {name: options[name] for name in names if name in options}
    try:
        file.write(jdcodec.encode(source, **settings))
    except JdcError as error:
        raise OSError(str(error)) from error


Image.register_open(FORMAT, JdcImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".jdc")
Image.register_mime(FORMAT, "image/x-jdc")
