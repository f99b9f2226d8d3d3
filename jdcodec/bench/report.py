"""The self-contained HTML report: data and pictures put into the page of `page/`, which draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jdcodec.page import build_page

from .anchors import Anchor
from .pictures import Comparison
from .results import write
from .summary import MEASURES

_PAGE = Path(__file__).with_name("page")
_SCRIPTS = ("page.js", "chart.js", "table.js", "look.js", "start.js")


def write_report(
    path: Path, document: Mapping[str, Any], anchors: Sequence[Anchor], comparisons: Sequence[Comparison]
) -> None:
    """Write the page for a `results.json` document. Raises OutputError."""
    data = {key: value for key, value in document.items() if key != "points"}
    data["failures"] = [point for point in document["points"] if point["error"]]
    data["measures"] = MEASURES
    data["anchors"] = [asdict(anchor) for anchor in anchors]
    data["comparisons"] = [asdict(comparison) for comparison in comparisons]
    scripts = (_PAGE / name for name in _SCRIPTS)
    write(path, build_page(_PAGE / "page.html", _PAGE / "page.css", scripts, data))
