"""Makes the golden files. Run it only for a new version of the format: `python -m tests.golden.make`.

`tiny.safetensors` is a narrow random network with tables of its own, so that the golden files do not
depend on the trained weights. Files written by it must decode, symbol for symbol, for ever.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from jdcodec.codec.decoder import DecodeSettings, decode_bytes, decode_symbols
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.codec.weights import Weights, load_weights
from jdcodec.container import parse
from jdcodec.photo import Photo

HERE = Path(__file__).parent
WEIGHTS = HERE / "tiny.safetensors"


def symbol_hash(data: bytes, weights: Weights) -> str:
    """SHA-256 over all hyperlatents, then all latents of a file, as int16 little-endian."""
    symbols = decode_symbols(parse(data), weights)
    digest = hashlib.sha256(symbols.z.astype("<i2").tobytes())
    digest.update(symbols.y.astype("<i2").tobytes())
    return digest.hexdigest()


def fields(data: bytes, weights: Weights) -> dict[str, object]:
    """What a decoder must find in a file."""
    file = parse(data)
    header = file.header
    return {
        "version": list(file.version),
        "model_id": header.model_id.hex(),
        "width": header.width,
        "height": header.height,
        "coded_width": header.coded_width,
        "coded_height": header.coded_height,
        "quality": header.quality,
        "denoise": header.denoise,
        "gray": header.gray,
        "bit_depth": header.bit_depth,
        "tile_size": header.tile_size,
        "tiles": header.tile_count,
        "symbols_crc": [tile.symbols_crc for tile in file.tiles],
        "symbols_sha256": symbol_hash(data, weights),
        "exif": file.metadata.exif.hex() if file.metadata.exif else None,
        "xmp": file.metadata.xmp.decode() if file.metadata.xmp else None,
    }


def _scene(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [128 + 90 * np.sin(rows / (7 + 3 * k)) * np.cos(columns / (5 + 4 * k)) for k in range(3)]
    scene = np.stack(waves, axis=2)
    scene[height // 4 : height // 2, width // 3 : width // 2] = (240, 30, 60)
    return np.rint(scene).clip(0, 255).astype(np.uint8)


def _photos() -> dict[str, tuple[Photo, EncodeSettings]]:
    def settings(quality: float, denoise: float, tile_size: int) -> EncodeSettings:
        return EncodeSettings(quality, denoise, str(WEIGHTS), "cpu", "fp32", tile_size)

    rgb, one = _scene(150, 200), _scene(1, 1)
    gray = np.repeat(_scene(64, 64)[:, :, :1], 3, axis=2)
    deep = _scene(70, 40).astype(np.uint16) * 257
    exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    return {
        "one-pixel": (Photo(one, 8, False, "array"), settings(8, 1, 1024)),
        "gray": (Photo(gray, 8, True, "array"), settings(1, 0, 1024)),
        "tiles": (Photo(rgb, 8, False, "array"), settings(4.5, 0.5, 64)),
        "deep-with-metadata": (
            Photo(deep, 16, False, "array", exif=exif, xmp=b"<x:xmpmeta/>"),
            settings(6.25, 1, 1024),
        ),
    }


def _make_weights() -> None:
    import torch

    from jdcodec.model.config import FAST, ModelConfig
    from jdcodec.model.network import JointCodec
    from jdcodec.training.export import export_weights

    sizes = FAST.to_dict() | {"name": "golden", "stem_channels": (8, 8), "hyper_width": 8}
    sizes |= {"analysis_stages": ((8, 1), (8, 1)), "synthesis_stages": ((8, 1), (8, 1), (8, 1))}
    sizes |= {"latent_channels": 48, "hyper_channels": 4}
    torch.manual_seed(7)
    network = JointCodec(ModelConfig.from_dict(sizes))
    picture = torch.from_numpy(_scene(192, 256)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        network.entropy.scale.start_from(network.analysis(picture, torch.zeros(1)))
        for name, parameter in network.named_parameters():
            if not name.endswith(".linear"):
                parameter += 0.05 * torch.randn_like(parameter)
        network.entropy.hyper_analysis[-1].weight *= 4
    export_weights(network.state_dict(), network.config, [picture, picture.flip(2), picture.flip(3)], WEIGHTS)


def main() -> None:
    _make_weights()
    weights = load_weights(WEIGHTS)
    for name, (photo, settings) in _photos().items():
        data = encode_photo(photo, settings)
        (HERE / f"{name}.jdc").write_bytes(data)
        facts = json.dumps(fields(data, weights), indent=1)
        (HERE / f"{name}.json").write_text(facts + "\n", encoding="utf-8")
        pixels = decode_bytes(data, DecodeSettings(device="cpu", precision="fp32", models=(str(WEIGHTS),)))
        Image.fromarray(pixels).save(HERE / f"{name}.png")


if __name__ == "__main__":
    main()
