"""A digital camera's sensor: linear sRGB light in, the noisy integers of a Bayer mosaic out.

Colour goes the way of Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019): the
inverse of the white balance and of the colour matrix, then the mosaic. Noise is the Poissonian–Gaussian
model of Foi et al., "Practical Poissonian–Gaussian noise modeling and fitting for single-image raw-data"
(IEEE TIP 2008): for a clean signal x in [0, 1] (1 is saturation) the sensor reads

    y = shot · Poisson(x / shot) + Normal(0, read²),    so    Var[y | x] = shot · x + read²

and clips y where its integers end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from jdcodec.demo.dng import DngTags

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# Linear sRGB (D65) to CIE XYZ, IEC 61966-2-1.
_XYZ_FROM_SRGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


@dataclass(frozen=True)
class Sensor:
    """A 16-megapixel APS-C sensor of the 2010s, cropped to the scene.

    color_matrix: CIE XYZ under D65 to camera RGB, as dcraw's tables give it for the Sony NEX-5N.
    full_well: electrons at saturation, ISO 100.
    read_noise: electrons, standard deviation, at high ISO.
    black_level, white_level: 14-bit integers of no light and of saturation.
    """

    color_matrix: tuple[tuple[float, float, float], ...] = (
        (0.5991, -0.1456, -0.0455),
        (-0.4764, 1.2135, 0.2980),
        (-0.0707, 0.1425, 0.6701),
    )
    cfa_pattern: str = "RGGB"
    full_well: float = 40_000.0
    read_noise: float = 2.5
    black_level: int = 512
    white_level: int = 16_383

    def noise(self, iso: int) -> tuple[float, float]:
        """(shot, read) of the module's formula: raising the ISO lets fewer electrons mean saturation."""
        electrons = self.full_well * 100 / iso
        return 1 / electrons, self.read_noise / electrons

    def _camera_from_srgb(self) -> npt.NDArray[np.float64]:
        """(3, 3) matrix from linear sRGB to camera RGB, scaled so that white's largest value is 1."""
        import numpy as np

        matrix = np.array(self.color_matrix) @ np.array(_XYZ_FROM_SRGB)
        camera: npt.NDArray[np.float64] = matrix / matrix.sum(axis=1).max()
        return camera

    def expose(
        self, scene: npt.NDArray[np.float32], iso: int, rng: np.random.Generator | None
    ) -> npt.NDArray[np.uint16]:
        """Photograph a scene.

        scene: (H, W, 3) float, linear sRGB; 1 is white, and light above what saturates a pixel clips.
        iso: 100 or more. rng: where the noise is drawn from; None for the same mosaic without noise.
        Returns (H, W) uint16 in [0, white_level].
        """
        import numpy as np

        height, width, _ = scene.shape
        camera = scene @ self._camera_from_srgb().T.astype(scene.dtype)
        signal = np.empty((height, width))
        for index, colour in enumerate(self.cfa_pattern):
            row, column = divmod(index, 2)
            signal[row::2, column::2] = camera[row::2, column::2, "RGB".index(colour)]
        # A colour outside of the sensor's gamut has a negative part; light has none.
        signal = signal.clip(0, None)
        if rng is not None:
            shot, read = self.noise(iso)
            signal = shot * rng.poisson(signal / shot) + rng.normal(0, read, signal.shape)
        levels = self.black_level + signal * (self.white_level - self.black_level)
        return levels.round().clip(0, self.white_level).astype(np.uint16)

    def dng_tags(self, iso: int) -> DngTags:
        """The DNG tags of a photograph that `expose` made, taken in light whose white is D65."""
        neutral = self._camera_from_srgb().sum(axis=1)
        shot, read = self.noise(iso)
        return DngTags(
            cfa_pattern=self.cfa_pattern,
            black_level=self.black_level,
            white_level=self.white_level,
            color_matrix=self.color_matrix,
            as_shot_neutral=(float(neutral[0]), float(neutral[1]), float(neutral[2])),
            noise_profile=(shot, read**2),
            iso=iso,
            exposure_time=Fraction(1, 60),
            make="jdcodec",
            model="Demo Camera",
            # A fixed date: the same seed makes the same file, byte for byte.
            taken=datetime(2024, 9, 21, 20, 15),
        )
