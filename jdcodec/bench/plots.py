"""Rate–distortion plots of each group and measure, as SVG and PNG, for papers and read-me files."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

from .anchors import Anchor
from .results import write
from .summary import MEASURES, GroupSummary, curve_of

INCHES = (7.0, 4.6)
PNG_DOTS_PER_INCH = 160
COLOURS = ("#2a78d6", "#d95926", "#178f63", "#b97b00", "#5b4bc4", "#d23b3b", "#c14a86", "#4f6f00")
MARKERS = "osD^vPX*"
ANCHOR_GREY = "#b5b5b0"


def write_plots(
    folder: Path, set_name: str, groups: Sequence[GroupSummary], anchors: Sequence[Anchor]
) -> list[Path]:
    """Write `MEASURE-GROUP.svg` and `.png` into `folder`; returns the paths.

    The first codec, jdc's by default, is drawn thicker; published curves in grey behind all. Raises
    OutputError where a file cannot be written.
    """
    import matplotlib

    paths = []
    folder.mkdir(exist_ok=True)
    with matplotlib.rc_context(
        {
            "font.size": 9,
            "svg.fonttype": "none",
            # A fixed salt makes the same curves the same SVG, so that plots under version control stay quiet.
            "svg.hashsalt": "jdc-bench",
            # A name with dollar signs is no formula.
            "text.parse_math": False,
        }
    ):
        for group in groups:
            for measure in group.bd_rate:
                stem = f"{measure}-{re.sub(r'[^a-z0-9.]+', '-', group.name.lower()).strip('-')}"
                paths += _write_plot(folder / stem, set_name, group, measure, anchors)
    return paths


def _write_plot(
    stem: Path, set_name: str, group: GroupSummary, measure: str, anchors: Sequence[Anchor]
) -> list[Path]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot()
    for number, (codec, points) in enumerate(group.curves.items()):
        curve = curve_of(points, measure)
        axes.plot(
            curve.bpp,
            curve.quality,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            linewidth=2.6 if number == 0 else 1.4,
            label=codec,
            zorder=4 if number == 0 else 3,
        )
    if measure in group.input:
        axes.axhline(group.input[measure], color="#6b6b66", linestyle="--", linewidth=1, label="noisy input")
    limits = axes.axis()
    for anchor in anchors:
        if measure in anchor.measures:
            axes.plot(anchor.bpp, anchor.measures[measure], color=ANCHOR_GREY, linewidth=0.8, zorder=1)
    # Published curves may go far beyond what was measured and would squeeze it.
    axes.axis(limits)
    axes.set(
        xlabel="bits per pixel",
        ylabel=MEASURES[measure],
        title=f"{set_name}, {group.name}: mean of {len(group.pictures)} pictures",
    )
    axes.grid(color="#e4e4e0", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    paths = [stem.with_name(stem.name + suffix) for suffix in (".svg", ".png")]
    for path in paths:
        stream = io.BytesIO()
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(stream, format=path.suffix[1:], dpi=PNG_DOTS_PER_INCH, metadata=metadata)
        write(path, stream.getvalue())
    return paths
