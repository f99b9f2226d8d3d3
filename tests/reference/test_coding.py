"""Real bytes: what `decompress` makes of them is what `forward` gave with rounding, at any size."""

from __future__ import annotations

import pytest
import torch

from jdcodec.errors import ModelError
from jdcodec.reference.base import Denoiser, ReferenceModel
from jdcodec.reference.losses import bits_per_pixel, training_loss

from .systems import SYSTEMS, narrow, needs_compressai, pictures

SIZES = [(64, 64), (70, 53), (1, 1)]


def _trained(name: str, steps: int = 6) -> ReferenceModel:
    """After a few steps, so that tables and latents are no longer those of the start."""
    model = narrow(name)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 3e-3)
    clean = pictures(2, model.channels, 64, 64)
    for _ in range(steps):
        optimizer.zero_grad()
        training_loss(model(clean, clean), clean, 0.05).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model.eval()


@pytest.mark.parametrize("name", SYSTEMS)
def test_decompressed_equals_forward(name: str) -> None:
    model = _trained(name, steps=2)
    for height, width in SIZES:
        x = pictures(1, model.channels, height, width)
        with torch.no_grad():
            expected = model(x).reconstruction
        decoded = model.decompress(model.compress(x))
        assert decoded.shape == x.shape
        if isinstance(model, Denoiser):  # stored at 8 bits
            torch.testing.assert_close(decoded, expected.clamp(0, 1), atol=0.51 / 255, rtol=0)
        else:
            torch.testing.assert_close(decoded, expected, atol=1e-4, rtol=1e-4)


@needs_compressai
@pytest.mark.parametrize("name", ["manypriors", "hyperprior", "guided-128"])
def test_bytes_are_as_many_as_the_likelihoods_say(name: str) -> None:
    model = _trained(name)
    x = pictures(1, 3, 64, 128)
    with torch.no_grad():
        estimate = float(bits_per_pixel(model(x))) * 64 * 128
    real = 8 * len(model.compress(x))
    framing, last_words = 8 * (4 + 2 + 2 + 1 + 2 * 4 + 4), 2 * 64
    # Less is possible: a symbol costs 16 bits in a table at most, by its likelihood up to 30.
    assert 0.8 * estimate < real - framing < 1.05 * estimate + last_words


@needs_compressai
@pytest.mark.parametrize("name", ["manypriors", "hyperprior", "guided-128"])
def test_compressing_leaves_the_mode_as_it_was(name: str) -> None:
    model = narrow(name)
    x = pictures(1, 3, 64, 64)
    data = model.compress(x)
    model.decompress(data)
    assert model.training
    assert model.compress(x) == data


@needs_compressai
def test_tables_follow_the_weights() -> None:
    model = narrow("manypriors").eval()
    x = pictures(1, 3, 64, 64)
    before = model.compress(x)
    model.load_state_dict({k: v * 1.5 if v.is_floating_point() else v for k, v in model.state_dict().items()})
    with torch.no_grad():
        expected = model(x).reconstruction
    data = model.compress(x)
    assert data != before
    torch.testing.assert_close(model.decompress(data), expected, atol=1e-3, rtol=1e-4)


@needs_compressai
def test_wrong_pictures_are_refused() -> None:
    model = narrow("hyperprior")
    with pytest.raises(ModelError, match=r"expected pictures \(B, 3, H, W\), not \(1, 1, 64, 64\)"):
        model.compress(torch.zeros(1, 1, 64, 64))
    with pytest.raises(ModelError, match="expected pictures"):
        model(torch.zeros(1, 3, 0, 64))
    with pytest.raises(ModelError, match="one picture at a time"):
        model.compress(torch.zeros(2, 3, 64, 64))
