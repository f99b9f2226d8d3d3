"""Self-contained HTML pages: parts that all of them share, and putting a page together.

A page loads nothing: style, script, data and pictures are in the one file, and its content security policy
forbids the rest. The shared parts here are colours and type (`common.css`), helpers, and the slider that lays
two pictures over each other (`viewer.html`, `slider.js`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_MARKS = ("/*STYLE*/", "<!--VIEWER-->", "/*DATA*/", "/*SCRIPT*/")


def build_page(page: Path, style: Path, scripts: Iterable[Path], data: Mapping[str, Any]) -> bytes:
    """The page of an HTML file, with style, scripts and data in the places of its marks.

    page: HTML with the marks `/*STYLE*/`, `<!--VIEWER-->`, `/*DATA*/` and `/*SCRIPT*/`, in this order.
    data: JSON values. The scripts come after the shared ones, in their order.
    """
    sources = (_HERE / "helpers.js", _HERE / "slider.js", *scripts)
    parts = (
        _text(_HERE / "common.css") + _text(style),
        _text(_HERE / "viewer.html"),
        _inside_script(data),
        "\n".join(map(_text, sources)),
    )
    # From mark to mark, so that what is put in is not searched for marks.
    done, rest = "", _text(page)
    for mark, part in zip(_MARKS, parts):
        before, _, rest = rest.partition(mark)
        done += before + part
    # Names of files may hold bytes that are no text.
    return (done + rest).encode("utf-8", "replace")


def _text(path: Path) -> str:
    return path.read_text("utf-8")


def _inside_script(data: Mapping[str, Any]) -> str:
    """JSON that no name or message in it can break out of a script element."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
