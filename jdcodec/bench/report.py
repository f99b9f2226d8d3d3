"""The self-contained HTML report: data and pictures put into the page of `page/`, which draws them.

The page loads nothing: style, script, data and pictures are in the one file, and its content security policy
forbids the rest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .anchors import Anchor
from .pictures import Comparison
from .results import write
from .summary import MEASURES

_PAGE = Path(__file__).with_name("page")
_SCRIPTS = ("page.js", "chart.js", "table.js", "slider.js", "start.js")


def write_report(
    path: Path, document: Mapping[str, Any], anchors: Sequence[Anchor], comparisons: Sequence[Comparison]
) -> None:
    """Write the page for a `results.json` document. Raises OutputError."""
    data = {key: value for key, value in document.items() if key != "points"}
    data["failures"] = [point for point in document["points"] if point["error"]]
    data["measures"] = MEASURES
    data["anchors"] = [asdict(anchor) for anchor in anchors]
    data["comparisons"] = [asdict(comparison) for comparison in comparisons]
    parts = {
        "/*STYLE*/": (_PAGE / "page.css").read_text("utf-8"),
        "/*SCRIPT*/": "\n".join((_PAGE / name).read_text("utf-8") for name in _SCRIPTS),
        "/*DATA*/": _inside_script(data),
    }
    page = (_PAGE / "page.html").read_text("utf-8")
    for mark, text in parts.items():
        before, _, after = page.partition(mark)
        page = before + text + after
    write(path, page.encode())


def _inside_script(data: Mapping[str, Any]) -> str:
    """JSON that no name or message in it can break out of a script element."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
