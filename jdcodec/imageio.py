"""imageio plugin: after `import jdcodec.imageio`, imageio reads and writes `.jdc` files like its own formats.

    import imageio.v3 as iio
    import jdcodec.imageio

    pixels = iio.imread("photo.jdc", dtype="uint16")
    iio.imwrite("photo.jdc", pixels, quality=4)

imageio finds plugins in a dictionary and not by entry points, so the import is needed once. Unlike the way
through Pillow, which has no colour pictures of 16 bits, this one keeps them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from imageio.config import known_extensions, known_plugins
from imageio.config.extensions import FileExtension
from imageio.config.plugins import PluginConfig
from imageio.core.request import URI_BYTES, URI_FILENAME, InitializationError, IOMode, Request
from imageio.core.v3_plugin_api import ImageProperties, PluginV3

from jdcodec.atomic import atomic_output, check_output
from jdcodec.container import SIGNATURE, Reader
from jdcodec.errors import JdcError

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "JDC"
_ENDING = ".jdc"


class JdcPlugin(PluginV3):  # type: ignore[misc]  # imageio has no types
    """One `.jdc` file: one picture, (H, W, 3), or (H, W) of a gray photo, sRGB.

    Damaged files, and ones that need a model which is not at hand, raise OSError with one line on why.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        if request.mode.io_mode == IOMode.write:
            if request.extension != _ENDING:
                raise InitializationError(f"{NAME} writes {_ENDING} files only")
            return
        file = request.get_file()
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise InitializationError(f"this is no {_ENDING} file")
        file.seek(0)

    def read(
        self,
        *,
        index: Any = 0,
        dtype: str = "uint8",
        model: str | None = None,
        device: str = "auto",
        grain: float = 0.0,
    ) -> NDArray[Any]:
        """Decode the pixels, of dtype "uint8", "uint16" or "float32" (0 to 1).

        model, device and grain are those of `jdcodec.decode`. index: 0, or ... for a batch of one picture.
        Raises IndexError for any other.
        """
        import jdcodec

        self._check_index(index)
        gray = self._reader().header.gray
        try:
            pixels = jdcodec.decode(self._bytes(), dtype=dtype, model=model, device=device, grain=grain)
        except JdcError as error:
            raise OSError(str(error).replace("with --model", "with model=…")) from error
        picture = pixels[..., 0] if gray else pixels
        return picture[None] if index is Ellipsis else picture

    def iter(self, **options: Any) -> Iterator[NDArray[Any]]:
        """The one picture; options as for `read`."""
        yield self.read(**options)

    def write(self, ndimage: Any, **options: Any) -> bytes | None:
        """Code one picture, as `jdcodec.encode` takes it: uint8, uint16 or float32 (0 to 1), sRGB.

        Options: as there, quality, denoise, effort, model and so on. Returns the bytes where no file was
        named. Raises OSError, and then leaves the file of a path as it was.
        """
        import jdcodec

        pictures = ndimage if isinstance(ndimage, (list, tuple)) else [ndimage]
        picture = np.asarray(pictures[0] if len(pictures) else [])
        if len(pictures) > 1 or (picture.ndim == 4 and len(picture) > 1):
            raise OSError(f"a {_ENDING} file holds one picture, not several")
        path = self.request.filename if self.request._uri_type == URI_FILENAME else None
        try:
            if path is not None:
                check_output(path, force=True)
            data = jdcodec.encode(picture[0] if picture.ndim == 4 else picture, **options)
            if path is not None:
                with atomic_output(path, force=True) as file:
                    file.write(data)
                return None
        except JdcError as error:
            raise OSError(str(error)) from error
        self.request.get_file().write(data)
        return data if self.request._uri_type == URI_BYTES else None

    def properties(self, index: Any = 0) -> ImageProperties:
        """Shape and type of what `read` gives; decodes nothing."""
        self._check_index(index)
        header = self._reader().header
        shape: tuple[int, ...] = (header.height, header.width)
        shape = shape if header.gray else (*shape, 3)
        batch = index is Ellipsis
        return ImageProperties(
            shape=(1, *shape) if batch else shape,
            dtype=np.dtype(np.uint8),
            n_images=1 if batch else None,
            is_batch=batch,
        )

    def metadata(self, index: Any = 0, exclude_applied: bool = True) -> dict[str, Any]:
        """Quality, denoise, bit_depth of the source; exif, xmp and icc where the file has them."""
        self._check_index(index)
        reader = self._reader()
        header, blocks = reader.header, reader.metadata
        found = {"exif": blocks.exif, "xmp": blocks.xmp, "icc": blocks.icc}
        return {
            "quality": header.quality,
            "denoise": header.denoise,
            "bit_depth": header.bit_depth,
            **{name: block for name, block in found.items() if block is not None},
        }

    def _check_index(self, index: Any) -> None:
        if index not in (0, None, Ellipsis):
            raise IndexError(f"a {_ENDING} file holds one picture; there is none at {index}")

    def _bytes(self) -> bytes:
        file = self.request.get_file()
        file.seek(0)
        return bytes(file.read())

    def _reader(self) -> Reader:
        try:
            return Reader(io.BytesIO(self._bytes()))
        except JdcError as error:
            raise OSError(str(error)) from error


known_plugins[NAME] = PluginConfig(name=NAME, class_name="JdcPlugin", module_name=__name__)
known_extensions[_ENDING] = [
    FileExtension(
        extension=_ENDING, priority=[NAME], name="jdcodec image", description="Joint denoising codec"
    )
]
