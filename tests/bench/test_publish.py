"""`docs/results/publish.py` puts what `jdc bench` wrote into README, model card and benchmarks.md."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from jdcodec.bench.command import BenchSettings, bench

from .conftest import make_picture, quantiser, save

pytest.importorskip("matplotlib")
pytest.importorskip("bjontegaard")
pytest.importorskip("pytorch_msssim")

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "weights/fast.md", "docs/benchmarks.md")
CODECS = (quantiser("jdc"), quantiser("jpeg", waste=600))


@pytest.fixture
def publish(tmp_path: Path) -> ModuleType:
    """The script in a project of its own, whose pages have markers of the sets "clean" and "noisy"."""
    root = tmp_path / "project"
    script = root / "docs" / "results" / "publish.py"
    script.parent.mkdir(parents=True)
    shutil.copyfile(ROOT / "docs" / "results" / "publish.py", script)
    (root / "weights").mkdir()
    markers = "".join(
        f"Before.\n\n<!-- results: {name} -->\nold\n<!-- /results: {name} -->\n\nAfter.\n"
        for name in ("clean-qualities", "clean-rivals", "noisy-qualities", "noisy-rivals", "other-rivals")
    )
    for page in PAGES:
        (root / page).write_text(markers, "utf-8")
    spec = importlib.util.spec_from_file_location("publish", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that `jdc bench` wrote, of a clean and of a noisy set, with codecs made for the test."""
    base = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(0)
    for name in ("clean", "noisy"):
        pictures = base / f"{name}-pictures"
        pictures.mkdir()
        clean = make_picture(0, 176, 192)
        if name == "clean":
            save(pictures / "a.png", clean)
        else:
            save(pictures / "a_clean.png", clean)
            noisy = clean + random.normal(0, 20, clean.shape)
            save(pictures / "a_noisy.png", noisy.clip(0, 255).astype(np.uint8))
        bench(BenchSettings(folder=pictures, out=base / name), Console(quiet=True), codecs=CODECS)
    return {name: base / name for name in ("clean", "noisy")}


def run(publish: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["publish.py", *map(str, words)])
    publish.main()


def between(page: str, marker: str) -> str:
    found = re.search(f"<!-- results: {marker} -->\n\n(.*?)\n\n<!-- /results: {marker} -->", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_tables_go_between_the_markers_of_all_pages(
    publish: ModuleType, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(publish, monkeypatch, *(f"{name}={folder}" for name, folder in runs.items()))
    texts = [(publish.ROOT / page).read_text("utf-8") for page in PAGES]
    assert texts[0] == texts[1] == texts[2]
    (text, *_) = texts
    assert text.count("Before.\n\n<!-- results: ") == text.count(" -->\n\nAfter.") == 5
    # A set that was not run keeps what it had.
    assert "<!-- results: other-rivals -->\nold\n<!-- /results: other-rivals -->" in text
    assert text.count("\nold\n") == 1
    curves = json.loads((runs["clean"] / "results.json").read_text("utf-8"))["groups"][0]["curves"]
    heads, _, *rows = between(text, "clean-qualities").splitlines()
    assert heads == "| quality | bpp | PSNR, dB | MS-SSIM |"
    assert rows == [
        f"| {p['quality']:g} | {p['bpp']:.3f} | {p['psnr']:.2f} | {p['ms_ssim']:.4f} |" for p in curves["jdc"]
    ]
    assert re.fullmatch(
        r"\| rate at equal PSNR \| JPEG \|\n\|---\|---\|\n\| jdc \| -\d+ % \|",
        between(text, "clean-rivals"),
    )
    peaks = between(text, "noisy-rivals").splitlines()[2:]
    assert sorted(line.split(" | ")[0] for line in peaks) == ["| **jdc**", "| JPEG 4:2:0"]


def test_publishing_again_changes_nothing(
    publish: ModuleType, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [f"{name}={folder}" for name, folder in runs.items()]
    run(publish, monkeypatch, *words)
    before = {page: (publish.ROOT / page).read_bytes() for page in PAGES}
    run(publish, monkeypatch, *words)
    assert {page: (publish.ROOT / page).read_bytes() for page in PAGES} == before


def test_curves_and_plots_are_copied(
    publish: ModuleType, runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(publish, monkeypatch, f"clean={runs['clean']}")
    folder = publish.ROOT / "docs" / "results"
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "publish.py", "clean.csv", "clean-psnr.svg", "clean-ms-ssim.svg"
    }  # fmt: skip
    assert (folder / "clean.csv").read_bytes() == (runs["clean"] / "curves.csv").read_bytes()


def test_rivals_that_were_not_run_again_stay(
    publish: ModuleType, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(publish, monkeypatch, f"noisy={runs['noisy']}")
    table, page = publish.ROOT / "docs" / "results" / "noisy.csv", publish.ROOT / "README.md"
    old, text = table.read_text("utf-8"), page.read_text("utf-8")
    wasteful = quantiser("jdc", waste=300)
    settings = BenchSettings(folder=runs["noisy"].with_name("noisy-pictures"), out=tmp_path / "again")
    bench(settings, Console(quiet=True), codecs=(wasteful,))
    run(publish, monkeypatch, f"noisy={tmp_path / 'again'}")
    new = table.read_text("utf-8")
    kept = [[line for line in lines.splitlines() if ",jpeg," in line] for lines in (old, new)]
    assert kept[0] == kept[1] != [] and old != new
    peaks = [between(lines, "noisy-rivals") for lines in (text, page.read_text("utf-8"))]
    assert all("| JPEG 4:2:0 |" in peak for peak in peaks) and peaks[0] != peaks[1]
    assert "jpeg" in (table.parent / "noisy-psnr.svg").read_text("utf-8")


def test_bpg_comes_from_the_anchors(
    publish: ModuleType, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = json.loads((runs["clean"] / "results.json").read_text("utf-8"))["groups"][0]["curves"]
    # Twice the bits of jdc at each quality.
    bpg = {"bpp": [2 * p["bpp"] for p in curves["jdc"]], "psnr": [p["psnr"] for p in curves["jdc"]]}
    anchors = tmp_path / "anchors.json"
    anchors.write_text(json.dumps({"measured": {"clean": {"curves": {"bpg": bpg}}}}), "utf-8")
    run(publish, monkeypatch, f"clean={runs['clean']}", "--anchors", anchors)
    table = between((publish.ROOT / "README.md").read_text("utf-8"), "clean-rivals").splitlines()
    assert table[0] == "| rate at equal PSNR | JPEG | BPG † |"
    assert table[2].endswith("| -50 % |")


def test_each_way_of_running_jdc_has_a_row(publish: ModuleType) -> None:
    def curve(share: float) -> list[dict[str, float]]:
        return [{"bpp": share * 2.0**n, "psnr": 30.0 + 3 * n} for n in range(4)]

    table = publish.rate_table(
        {"jdc": curve(1), "jdc@0^9": curve(0.8), "jpeg": curve(2), "jdc@0": curve(0.9)}
    )
    assert table.splitlines()[2:] == [
        "| jdc | -50 % |",
        "| jdc without denoising | -55 % |",
        "| jdc without denoising, effort 9 | -60 % |",
    ]


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [((0.4, 32.0), "50 %"), ((0.05, 29.0), "at most 200 %"), ((2.0, 50.0), "not reached")],
)
def test_the_bits_that_jdc_needs(publish: ModuleType, theirs: tuple[float, float], expected: str) -> None:
    """jdc reaches 30 dB at 0.1, 32 at 0.2 and 34 at 0.4 bpp; below its first point nothing is known."""
    ours: list[dict[str, Any]] = [
        {"bpp": bpp, "psnr": psnr} for bpp, psnr in ((0.1, 30.0), (0.2, 32.0), (0.4, 34.0))
    ]
    bpp, psnr = theirs
    table = publish.peak_table({"jdc": ours, "webp": [{"bpp": bpp, "psnr": psnr}]})
    assert f"| WebP | {psnr:.2f} | {bpp:.3f} | {expected} |" in table


def test_curves_that_share_no_quality(publish: ModuleType) -> None:
    low, high = (
        [{"bpp": 0.1 * number, "psnr": base + number} for number in range(1, 6)] for base in (20, 40)
    )
    assert "| no overlap |" in publish.rate_table({"jdc": high, "webp": low})


def test_every_marker_of_the_pages_has_its_pair() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text("utf-8")
        markers = re.findall(r"<!-- (/?)results: ([\w-]+) -->", text)
        assert len(markers) % 2 == 0
        for (begin, name), (end, same) in zip(markers[::2], markers[1::2]):
            assert (begin, end) == ("", "/") and name == same
