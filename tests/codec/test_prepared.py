"""What a photo needs is compiled in the background: just that, and no result depends on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import PictureMaker

from jdcodec.codec import denoised, runtime, symbols
from jdcodec.codec.decoder import DecodeSettings, decode_bytes
from jdcodec.codec.encoder import EncodeSettings, encode_photo
from jdcodec.inference.graphs import Graphs
from jdcodec.inference.on_openvino import Network, OpenVinoInference
from jdcodec.photo import Photo, from_array


@pytest.fixture(autouse=True)
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_networks", {})
    # So that pictures of the tests are cut into several windows, of one size for each step.
    for module in (symbols, denoised):
        monkeypatch.setattr(module, "WINDOW_PIXELS", 70_000)
    for function in (symbols.picture_to_latents, symbols.latents_to_symbols, symbols.symbols_to_picture):
        monkeypatch.setitem(function.__kwdefaults__, "window_pixels", 70_000)


def compiled() -> set[object]:
    (network,) = runtime._networks.values()
    assert isinstance(network, Network)
    return set(network._compiled)


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((192, 1000), {}),
        ((1000, 130), {"denoise": 0.0}),
        ((40, 70), {"quality": 2.0}),
        ((500, 500), {"size": None, "effort": 5}),
        ((100, 200), {"quality": 8.0}),
    ],
)
def test_just_what_is_needed_is_prepared(
    shape: tuple[int, int],
    settings: dict[str, float],
    tiny_model: Path,
    make_picture: PictureMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = from_array(make_picture(*shape))
    decoding = DecodeSettings(models=(str(tiny_model),), dtype="uint16")

    def there_and_back() -> tuple[bytes, bytes, set[object], set[object]]:
        monkeypatch.setattr(runtime, "_networks", {})
        data = encode_photo(photo, EncodeSettings(model=str(tiny_model), **settings))  # type: ignore[arg-type]
        encoding = compiled()
        monkeypatch.setattr(runtime, "_networks", {})
        pixels = decode_bytes(data, decoding)
        return data, pixels.tobytes(), encoding, compiled()

    prepared = there_and_back()
    monkeypatch.setattr(OpenVinoInference, "prepare", lambda self, calls: None)
    assert there_and_back() == prepared


@pytest.mark.parametrize("graph", ["anchor_means", "other_means"])
def test_what_cannot_be_compiled_is_said_once_it_is_needed(
    graph: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Graphs, *arguments: object) -> None:
        raise RuntimeError("no room to compile")

    monkeypatch.setattr(Graphs, graph, broken)
    photo: Photo = from_array(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(RuntimeError, match="no room to compile"):
        encode_photo(photo, EncodeSettings(model=str(tiny_model)))
