"""Names of codecs as `--vs` takes them."""

from __future__ import annotations

import pytest

from jdcodec.bench.registry import ALIASES, Choice, choose, codec_names, denoiser_names
from jdcodec.errors import JdcError


def names(*words: str) -> list[str]:
    return [codec.name for codec in choose(words, Choice())]


def test_every_known_name_is_a_codec_of_that_name() -> None:
    assert names(*codec_names()) == list(codec_names())
    assert len(set(codec_names())) == len(codec_names())


def test_every_denoiser_goes_in_front_of_every_codec() -> None:
    asked = [f"{denoiser}+{codec}" for denoiser in denoiser_names() for codec in ("jxl", "bpg", "jdc@0")]
    assert names(*asked) == asked


def test_aliases_and_repeated_names() -> None:
    assert names("jpg", "jpeg", "heif", "jpeg") == ["jpeg", "heic"]
    assert all(known in codec_names() for known in ALIASES.values())


def test_jdc_with_model_and_strength() -> None:
    plain, best, off = choose(("jdc", "jdc:best", "jdc:best@0"), Choice(model="fast", denoise=0.5))
    assert plain.command(4) == "jdcodec.encode(image, quality=4, denoise=0.5, model='fast', device='auto')"
    assert "denoise=0.5, model='best'" in best.command(4)
    assert "denoise=0, model='best'" in off.command(4)


def test_grids_go_from_worst_to_best_within_the_scale() -> None:
    for codec in choose(codec_names(), Choice()):
        scale = codec.scale
        assert all(scale.holds(quality) for quality in scale.grid), codec.name
        assert list(scale.grid) == sorted(scale.grid, reverse=scale.worst > scale.best), codec.name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("jpge", "did you mean jpeg"),
        ("JXL", "did you mean jxl"),
        ("bpgdec", "did you mean bpg"),
        ("heifenc", "did you mean heif-enc"),
        ("nml+jxl", "did you mean nlm"),
        ("nlm+jxlx", "did you mean jxl"),
        ("zzzz", "known: jdc, jpeg"),
        ("", "known: "),
        ("+jxl", "unknown denoiser"),
        ("nlm+", "unknown codec"),
        ("jdc@2", "from 0 to 1"),
        ("jdc@nan", "from 0 to 1"),
        ("jdc@x", "from 0 to 1"),
        ("jdc^0", "whole number from 1 to 9"),
        ("jdc@0^10", "whole number from 1 to 9"),
        ("jdc^x", "whole number from 1 to 9"),
        ("jdc^²", "whole number from 1 to 9"),
    ],
)
def test_unknown_names_get_the_nearest_known_one(name: str, hint: str) -> None:
    with pytest.raises(JdcError, match=hint) as caught:
        choose((name,), Choice())
    assert "\n" not in str(caught.value)
