"""Put measured results where readers look for them: tables into README, model card and benchmarks.md.

    python docs/results/publish.py kodak=bench-kodak polyu=bench-polyu renoir=bench-renoir --anchors FILE

Each folder is one that `jdc bench` wrote; its curves and plots are put beside this file. Codecs that a folder
lacks keep the curves they have there: new weights call for jdc alone to be measured again, on the same
pictures. A table replaces what is between its markers, as `<!-- results: NAME-rivals -->`. The curve of BPG,
whose encoder may not be at hand, is taken from the anchors.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from jdcodec.bench.curves import Curve, bd_rate, rate_at
from jdcodec.bench.document import CURVE_COLUMNS
from jdcodec.bench.plots import write_plots
from jdcodec.bench.results import write_csv
from jdcodec.bench.summary import GroupSummary, MeanPoint

#: Curves of one group of pictures by codec, each a list of points.
Curves = dict[str, list[dict[str, Any]]]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = (ROOT / "README.md", ROOT / "weights" / "fast.md", ROOT / "docs" / "benchmarks.md")

TITLES = {
    "jpeg": "JPEG 4:2:0",
    "webp": "WebP",
    "avif": "AVIF 4:4:4",
    "jxl": "JPEG XL, effort 7",
    "bpg": "BPG 4:4:4 (x265) †",
    "nlm+avif": "AVIF 4:4:4 after non-local means",
    "stem+avif": "AVIF 4:4:4 after jdc's denoiser alone",
    "jdc@0": "jdc without denoising",
    "jdc@0^9": "jdc without denoising, effort 9",
}
SHORT = {"jpeg": "JPEG", "webp": "WebP", "avif": "AVIF", "jxl": "JPEG XL", "bpg": "BPG †"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", help="NAME=FOLDER")
    parser.add_argument(
        "--anchors", type=Path, help="JSON with a curve of BPG for each set, as --anchors has it."
    )
    arguments = parser.parse_args()
    measured = json.loads(arguments.anchors.read_text("utf-8"))["measured"] if arguments.anchors else {}
    tables: dict[str, str] = {}
    for run in arguments.runs:
        name, _, folder = run.partition("=")
        results = json.loads((Path(folder) / "results.json").read_text("utf-8"))
        groups = with_kept(results["groups"], HERE / f"{name}.csv")
        write_curves(name, results["set"]["name"], groups)
        curves = dict(groups[0]["curves"])
        bpg = measured.get(name, {}).get("curves", {}).get("bpg")
        if bpg:
            curves["bpg"] = [{"bpp": bpp, "psnr": psnr} for bpp, psnr in zip(bpg["bpp"], bpg["psnr"])]
        tables |= set_tables(name, curves, is_clean=results["set"]["kind"] == "clean")
    for page in PAGES:
        page.write_text(filled(page.read_text("utf-8"), tables), "utf-8")


def set_tables(name: str, curves: dict[str, list[dict[str, Any]]], *, is_clean: bool) -> dict[str, str]:
    """Tables by marker: NAME-qualities, and NAME-rivals for what is compared on such a set."""
    rivals = rate_table(curves) if is_clean else peak_table(curves)
    return {f"{name}-qualities": quality_table(curves["jdc"]), f"{name}-rivals": rivals}


def quality_table(points: list[dict[str, Any]]) -> str:
    lines = ["| quality | bpp | PSNR, dB | MS-SSIM |", "|---|---|---|---|"]
    for point in points:
        quality, bpp, psnr, ms_ssim = (point[key] for key in ("quality", "bpp", "psnr", "ms_ssim"))
        lines.append(f"| {quality:g} | {bpp:.3f} | {psnr:.2f} | {ms_ssim:.4f} |")
    return "\n".join(lines)


def rate_table(curves: dict[str, list[dict[str, Any]]]) -> str:
    rivals = [codec for codec in SHORT if codec in curves]
    heads = [SHORT[codec] for codec in rivals]
    lines = ["| rate at equal PSNR | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for codec in ("jdc", "jdc@0", "jdc@0^9"):
        if codec in curves:
            ours = curve_of(curves[codec])
            rates = [bd_rate(curve_of(curves[rival]), ours).value for rival in rivals]
            cells = ["no overlap" if rate is None else f"{rate:+.0f} %" for rate in rates]
            lines.append(f"| {TITLES.get(codec, codec)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def peak_table(curves: dict[str, list[dict[str, Any]]]) -> str:
    """Each codec's best point, and the share of its bits at which jdc reaches the same PSNR."""
    ours = curve_of(curves["jdc"])
    peaks = sorted(
        ((curve_of(points).peak(), codec) for codec, points in curves.items()), key=lambda p: -p[0][1]
    )
    lines = ["| codec | best PSNR, dB | at bpp | bits jdc needs for that |", "|---|---|---|---|"]
    for (bpp, psnr), codec in peaks:
        title = "**jdc**" if codec == "jdc" else TITLES.get(codec, codec)
        lines.append(
            f"| {title} | {psnr:.2f} | {bpp:.3f} | {share(ours, bpp, psnr) if codec != 'jdc' else ''} |"
        )
    return "\n".join(lines)


def share(ours: Curve, bpp: float, psnr: float) -> str:
    rate = rate_at(ours, psnr)
    if rate is None:
        return "not reached"
    bound = "at most " if psnr < ours.quality[0] else ""
    return f"{bound}{100 * rate / bpp:.0f} %"


def curve_of(points: list[dict[str, Any]]) -> Curve:
    return Curve.of([point["bpp"] for point in points], [point["psnr"] for point in points])


def with_kept(groups: list[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """The groups of a run, with the curves of codecs that only the table at `path` has."""
    kept: dict[str, Curves] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                point = {field.name: number(row[field.name]) for field in fields(MeanPoint)}
                kept.setdefault(row["group"], {}).setdefault(row["codec"], []).append(point)
    return [group | {"curves": kept.get(group["name"], {}) | group["curves"]} for group in groups]


def number(cell: str) -> float | None:
    """What a cell of a table of curves holds, such that it is written as it was."""
    return int(cell) if cell.isdigit() else float(cell) if cell else None


def write_curves(name: str, set_name: str, groups: list[dict[str, Any]]) -> None:
    """NAME.csv, and plots of the first group, all pictures: NAME-psnr.svg and NAME-ms-ssim.svg."""
    rows = (
        {"group": group["name"], "codec": codec, **point}
        for group in groups
        for codec, points in group["curves"].items()
        for point in points
    )
    write_csv(HERE / f"{name}.csv", rows, CURVE_COLUMNS)
    whole = groups[0]
    labels = {"psnr": "psnr", "ms_ssim_db": "ms-ssim"}
    summary = GroupSummary(
        name=whole["name"],
        pictures=tuple(whole["pictures"]),
        left_out={},
        dropped={},
        input=whole["input"],
        curves={c: tuple(MeanPoint(**point) for point in points) for c, points in whole["curves"].items()},
        bd_rate={measure: {} for measure in labels},
        bd_quality={},
        peaks={},
    )
    with tempfile.TemporaryDirectory() as folder:
        write_plots(Path(folder), set_name, [summary], [])
        for measure, label in labels.items():
            shutil.copyfile(Path(folder) / f"{measure}-all.svg", HERE / f"{name}-{label}.svg")


def filled(text: str, tables: dict[str, str]) -> str:
    for marker, table in tables.items():
        begin, end = f"<!-- results: {marker} -->", f"<!-- /results: {marker} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(lambda _, new=f"{begin}\n\n{table}\n\n{end}": new, text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    main()
