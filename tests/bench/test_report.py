"""The HTML file itself: whole, and closed to what names in the data might smuggle in."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from jdcodec.bench.command import BenchSettings, bench

from .conftest import make_picture, quantiser, save

pytest.importorskip("matplotlib")
pytest.importorskip("bjontegaard")

EVIL = "</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Elements with their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report") / "set"
    folder.mkdir()
    save(folder / "one.png", make_picture())
    settings = BenchSettings(folder=folder, out=folder.parent / "out", name=EVIL)
    bench(settings, Console(quiet=True), codecs=(quantiser("a"), quantiser(EVIL)))
    return (folder.parent / "out" / "report.html").read_text("utf-8")


def test_the_page_is_one_file(page: str) -> None:
    for tag, attributes in Page(page).elements:
        for name in ("src", "href", "data", "poster", "action"):
            value = attributes.get(name)
            assert not value or value.startswith("data:"), (tag, attributes)
    assert "@import" not in page and "url(" not in page.replace("url(#frame)", "")
    assert "default-src 'none'" in page


def test_names_cannot_leave_the_data(page: str) -> None:
    parsed = Page(page)
    data, script = parsed.scripts
    assert json.loads(data)["set"]["name"] == EVIL
    assert sum(tag == "script" for tag, _ in parsed.elements) == 2
    assert not any("onerror" in attributes for _, attributes in parsed.elements)
    assert "innerHTML" not in script and "insertAdjacentHTML" not in script and "eval(" not in script


def test_nothing_is_left_to_fill_in(page: str) -> None:
    assert not re.search(r"/\*(STYLE|SCRIPT|DATA)\*/", page)


def test_pictures_of_the_slider_are_in_the_page_unchanged(page: str) -> None:
    import base64
    import io

    import numpy as np
    from PIL import Image

    (comparison,) = json.loads(Page(page).scripts[0])["comparisons"]
    assert [shown["codec"] for shown in comparison["shown"]] == ["", "a", EVIL]
    uri = comparison["shown"][0]["uri"]
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), make_picture())
