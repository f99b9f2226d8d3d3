"""A whole benchmark with codecs made for the test: what is written, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from jdcodec.bench.codec import Unavailable
from jdcodec.bench.command import BenchSettings, Outcome, bench, parse_qualities
from jdcodec.bench.metrics import Pixels
from jdcodec.bench.registry import Choice
from jdcodec.errors import JdcError, OutputError, PhotoError

from .conftest import make_picture, quantiser, save

pytest.importorskip("matplotlib")
pytest.importorskip("bjontegaard")

CODECS = (quantiser("ours"), quantiser("theirs", waste=300))
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def run(folder: Path, console: Console, **settings: Any) -> Outcome:
    return bench(
        BenchSettings(folder=folder, out=folder.parent / "report", **settings), console, codecs=CODECS
    )


def results(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder.parent / "report" / "results.json").read_text("utf-8"))
    return document


def said(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_everything_is_written(clean_set: Path, quiet: Console) -> None:
    outcome = run(clean_set, quiet)
    assert (outcome.points, outcome.failed) == (24, 0)
    folder = outcome.report.parent
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "report.html", "results.json", "points.jsonl", "points.csv", "curves.csv",
        "plots/psnr-all.svg", "plots/psnr-all.png",
    }  # fmt: skip
    with (folder / "points.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 24
    with (folder / "curves.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["codec"], r["quality"]) for r in rows] == [
        (c, str(q)) for c in ("ours", "theirs") for q in (2, 3, 4, 5)
    ]
    assert "theirs" in said(quiet) and "−" in said(quiet)


def test_the_first_codec_wins_where_it_needs_fewer_bits(clean_set: Path, quiet: Console) -> None:
    run(clean_set, quiet)
    (group,) = results(clean_set)["groups"]
    assert group["bd_rate"]["psnr"]["theirs"]["ours"]["value"] < -5
    assert group["bd_quality"]["psnr"]["theirs"]["ours"]["value"] > 0


def test_every_field_of_the_results_is_documented(clean_set: Path, quiet: Console) -> None:
    run(clean_set, quiet)
    documented = set(re.findall(r"`([a-z0-9_]+)`", DOCUMENTATION.read_text("utf-8")))
    # Keys that are names of codecs, measures, pictures or settings, and not fields.
    free = {"ours", "theirs"}

    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values())) if value else set()
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    assert keys(results(clean_set)) - free - documented == set()


def test_resuming_goes_on_and_force_starts_again(clean_set: Path, quiet: Console) -> None:
    run(clean_set, quiet, max_images=1)
    with pytest.raises(OutputError, match="--resume"):
        run(clean_set, quiet)
    points = clean_set.parent / "report" / "points.jsonl"
    before = points.read_text()
    assert run(clean_set, quiet, resume=True).points == 24
    assert points.read_text().startswith(before) and len(points.read_text().splitlines()) == 24
    assert run(clean_set, quiet, force=True, max_images=1).points == 8
    assert len(points.read_text().splitlines()) == 8


def test_force_drops_nothing_where_the_settings_cannot_be_used(clean_set: Path, quiet: Console) -> None:
    run(clean_set, quiet, max_images=1)
    with pytest.raises(JdcError, match="has no quality 99"):
        run(clean_set, quiet, force=True, qualities=("ours=99",))
    assert run(clean_set, quiet, resume=True, max_images=1).points == 8
    assert len((clean_set.parent / "report" / "points.jsonl").read_text().splitlines()) == 8


def test_a_codec_that_is_not_there_is_a_line_or_an_error(clean_set: Path, quiet: Console) -> None:
    def missing() -> str:
        raise Unavailable("gone: the program gone is not installed (apt install gone)")

    codecs = (*CODECS, replace(quantiser("gone"), load=missing))
    settings = BenchSettings(folder=clean_set, out=clean_set.parent / "report")
    assert bench(settings, quiet, codecs=codecs).failed == 0
    assert said(quiet).count("left out: gone: the program gone is not installed (apt install gone)") == 1
    assert results(clean_set)["absent"][0]["name"] == "gone"
    with pytest.raises(Unavailable):
        bench(replace(settings, strict=True, force=True), quiet, codecs=codecs)


def test_no_codec_at_all(clean_set: Path, quiet: Console) -> None:
    def missing() -> str:
        raise Unavailable("gone: not installed")

    settings = BenchSettings(folder=clean_set, out=clean_set.parent / "report")
    with pytest.raises(JdcError, match="none of the codecs can run here"):
        bench(settings, quiet, codecs=[replace(quantiser(), load=missing)])


def test_failures_are_told_and_with_strict_an_error_after_the_report(clean_set: Path, quiet: Console) -> None:
    def fragile(pixels: Pixels, quality: float) -> bytes:
        if pixels.shape[0] == 48 and int(pixels[0, 0, 0]) == int(make_picture(2)[0, 0, 0]):
            raise RuntimeError("boom")
        return quantiser().encode(pixels, quality)

    codecs = (CODECS[0], replace(CODECS[1], encode=fragile, load=lambda: "1"))
    settings = BenchSettings(folder=clean_set, out=clean_set.parent / "report")
    outcome = bench(settings, quiet, codecs=codecs)
    assert outcome.failed == 4
    assert "picture2 is not averaged: theirs: at quality 2 encoding failed: boom" in said(quiet)
    assert "4 of 24 points failed" in said(quiet)
    with pytest.raises(JdcError, match=r"4 of 24 points failed, see .*report\.html"):
        bench(replace(settings, strict=True, force=True), quiet, codecs=codecs)
    assert len(results(clean_set)["groups"][0]["pictures"]) == 2


def test_noise_and_names(clean_set: Path, quiet: Console) -> None:
    run(clean_set, quiet, noise="gaussian:5,30", name="Meadow", max_images=1)
    document = results(clean_set)
    assert (document["set"]["name"], document["set"]["kind"]) == ("Meadow", "noise")
    assert [g["name"] for g in document["groups"]] == ["all", "gaussian:5", "gaussian:30"]
    assert document["set"]["images"][1]["input_psnr"] < document["set"]["images"][0]["input_psnr"]


def test_qualities_from_words() -> None:
    assert parse_qualities(("1,2.5", "jpeg=10,50", "nlm+jxl=30")) == {
        "jdc": (1, 2.5),
        "jpeg": (10, 50),
        "nlm+jxl": (30,),
    }
    for word in ("", "jpeg", "jpeg=", "jpeg=a", "1;2"):
        with pytest.raises(JdcError, match="write them as"):
            parse_qualities((word,))


@pytest.mark.parametrize(
    ("settings", "kind", "why"),
    [
        ({"rivals": ("jpge",)}, JdcError, "did you mean jpeg"),
        ({"noise": "salt"}, JdcError, "unknown noise"),
        ({"qualities": ("jpeg=200",)}, JdcError, "jpeg has no quality 200"),
        ({"qualities": ("webp=20",)}, JdcError, "not among the codecs"),
        ({"show": ("nobody",)}, JdcError, "no picture 'nobody'"),
        ({"anchors": Path("missing.json")}, JdcError, r"missing\.json"),
        ({"folder": Path("missing")}, JdcError, "is not a folder"),
        ({"out": Path(__file__)}, OutputError, "no report can be written there"),
    ],
)
def test_settings_that_cannot_be_used(
    clean_set: Path, quiet: Console, settings: dict[str, Any], kind: type[JdcError], why: str
) -> None:
    usual: dict[str, Any] = {
        "folder": clean_set,
        "out": clean_set.parent / "report",
        "rivals": ("jpeg",),
        "choice": Choice(model="no such model"),
    }
    with pytest.raises(kind, match=why) as caught:
        bench(BenchSettings(**{**usual, **settings}), quiet)
    assert "\n" not in str(caught.value)


def test_an_unreadable_picture_is_told_before_anything_is_coded(clean_set: Path, quiet: Console) -> None:
    (clean_set / "zebra.png").write_bytes(b"stripes")
    with pytest.raises(PhotoError, match=r"zebra\.png"):
        run(clean_set, quiet)
    assert not (clean_set.parent / "report").exists()


def test_a_rival_without_jdc_still_runs(clean_set: Path, quiet: Console) -> None:
    settings = BenchSettings(
        folder=clean_set, out=clean_set.parent / "r", rivals=("jpeg",), choice=Choice(model="no such model")
    )
    assert bench(settings, quiet).failed == 0
    assert "left out: jdc: no model 'no such model'" in said(quiet)


def test_odd_names_of_pictures_are_names_and_not_markup(tmp_path: Path, quiet: Console) -> None:
    folder = tmp_path / "[red]set[bold]"
    folder.mkdir()
    save(folder / "<b>[bold]&amp;.png", make_picture())
    outcome = run(folder, quiet)
    assert outcome.failed == 0
    assert "<b>[bold]&amp;" in json.dumps(results(folder))
