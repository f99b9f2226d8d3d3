"""The page of `jdc view` in headless Chromium: slider, zoom, keyboard, phone, dark, no word outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import PictureMaker
from PIL import Image

import jdcodec
from jdcodec.codec.decoder import DecodeSettings
from jdcodec.view import page as page_module
from jdcodec.view.page import view_page
from jdcodec.view.subject import Subject, coded_subject, photo_subject
from tests.bench.browser import chromium, complaints, requests, show

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

LEFT, RIGHT, HOME, END = "\ue012", "\ue014", "\ue011", "\ue010"  # as WebDriver names them


def photo_of(path: Path) -> Subject:
    with path.open("rb") as file:
        return photo_subject(file, path.name)


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(
    tmp_path_factory: pytest.TempPathFactory, make_picture: PictureMaker, tiny_model: Path
) -> dict[str, Path]:
    """A .jdc file alone, and beside its original, whose name would be markup in a careless page."""
    folder = tmp_path_factory.mktemp("view")
    original, coded = folder / "<b>'&amp;.png", folder / "photo.jdc"
    Image.fromarray(make_picture(900, 1500)).save(original)
    coded.write_bytes(jdcodec.encode(original, model=str(tiny_model)))
    settings = DecodeSettings(models=(str(tiny_model),))
    with coded.open("rb") as file:
        subjects = [coded_subject(file, coded.name, settings), photo_of(original)]
    pages = {"single": folder / "single.html", "pair": folder / "pair.html"}
    pages["single"].write_bytes(view_page(subjects[:1]))
    pages["pair"].write_bytes(view_page(subjects))
    return pages


@pytest.fixture
def opened(chrome: Chrome, pages: dict[str, Path]) -> Iterator[Any]:
    """A function that opens a page; afterwards the console is empty and nothing was asked of the network."""
    requests(chrome), complaints(chrome)
    shown: set[str] = set()

    def open_page(name: str, **how: Any) -> Chrome:
        shown.add(pages[name].as_uri())
        show(chrome, pages[name], **how)
        return chrome

    yield open_page
    assert complaints(chrome) == []
    assert {url for url in requests(chrome) if not url.startswith("blob:")} == shown


def run(page: Chrome, script: str, *arguments: Any) -> Any:
    return page.execute_script(script, *arguments)  # type: ignore[no-untyped-call]


def cut(page: Chrome) -> float:
    """Share of the frame that the left picture takes, 0 to 1."""
    script = """
        const [stage, pair] = ["stage", "pair"].map((id) => document.getElementById(id));
        const sides = document.getElementById("left-image").style.clipPath.slice(6, -1).split(" ");
        const hidden = parseFloat(sides[1 % sides.length]);
        return (pair.clientWidth - hidden - stage.scrollLeft) / stage.clientWidth"""
    return float(run(page, script))


def shown_width(page: Chrome) -> float:
    return float(run(page, "return document.getElementById('pair').getBoundingClientRect().width"))


def press(page: Chrome, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    for key in keys:
        ActionChains(page).send_keys(key).perform()


def loaded(page: Chrome, side: str) -> list[int]:
    """Size of a picture that the browser has decoded."""
    script = f"""
        const image = document.getElementById("{side}-image"), done = arguments[0];
        image.decode().then(() => done([image.naturalWidth, image.naturalHeight]))"""
    return list(page.execute_async_script(script))  # type: ignore[no-untyped-call]


def test_both_pictures_are_there_and_named(opened: Any) -> None:
    page = opened("pair")
    assert loaded(page, "left") == loaded(page, "right") == [1500, 900]
    assert page.title == "photo.jdc | <b>'&amp;.png – jdc view"
    assert page.find_element("tag name", "h1").text == "photo.jdc and <b>'&amp;.png"
    assert "photo.jdc is " in page.find_element("id", "about").text
    assert "quality 5, denoise 1" in page.find_element("id", "left-caption").text
    assert "PNG, " in page.find_element("id", "right-caption").text


def test_the_divider_has_the_keyboard_from_the_start(opened: Any) -> None:
    page = opened("pair")
    assert cut(page) == pytest.approx(0.5, abs=0.01)
    press(page, *[LEFT] * 5)
    assert cut(page) == pytest.approx(0.45, abs=0.01)
    press(page, END)
    assert cut(page) == pytest.approx(1, abs=0.01)
    press(page, HOME, RIGHT)
    assert cut(page) == pytest.approx(0.01, abs=0.005)


def test_dragging_anywhere_on_the_picture_moves_the_divider(opened: Any) -> None:
    from selenium.webdriver import ActionChains

    page = opened("pair")
    stage = page.find_element("id", "stage")
    width = stage.size["width"]
    ActionChains(page).move_to_element_with_offset(stage, -100, 0).click_and_hold().move_by_offset(
        30, 0
    ).release().perform()
    assert cut(page) == pytest.approx(0.5 - 70 / width, abs=0.01)


def test_a_finger_moves_the_divider(opened: Any) -> None:
    page = opened("pair", width=400, height=800)
    box = page.find_element("id", "stage").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # A drag that begins off the centre, so that only the finger can have brought the divider there.
    for kind, at in (
        ("touchStart", x - 60),
        ("touchMove", x + 40),
        ("touchMove", x + 80),
        ("touchEnd", None),
    ):
        points = [] if at is None else [{"x": at, "y": y}]
        page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert cut(page) == pytest.approx(0.5 + 80 / box["width"], abs=0.02)


def test_digits_zoom_about_the_centre_and_back(opened: Any) -> None:
    page = opened("pair")
    fitting = shown_width(page)
    assert fitting < 1200
    press(page, "1")
    assert shown_width(page) == 1500
    stage = "const s = document.getElementById('stage'); return "
    middle = run(page, stage + "(s.scrollLeft + s.clientWidth / 2) / s.scrollWidth")
    assert middle == pytest.approx(0.5, abs=0.01)
    assert page.find_element("css selector", "#zoom :checked").get_attribute("value") == "1"
    press(page, "4")
    assert shown_width(page) == 6000
    assert cut(page) == pytest.approx(0.5, abs=0.01)
    press(page, "0")
    assert shown_width(page) == pytest.approx(fitting, abs=1)


def test_a_double_click_shows_the_place_at_full_size(opened: Any) -> None:
    from selenium.webdriver import ActionChains

    page = opened("pair")
    stage = page.find_element("id", "stage")
    x = stage.size["width"] // 4
    ActionChains(page).move_to_element_with_offset(stage, -x, 0).double_click().perform()
    assert shown_width(page) == 1500
    seen = run(page, "const s = document.getElementById('stage'); return s.scrollLeft / s.scrollWidth")
    # A quarter of the way along the picture lies a quarter of the way along the frame.
    assert seen == pytest.approx(0.25 - 0.25 * stage.size["width"] / 1500, abs=0.02)


def test_at_full_size_a_pixel_takes_one_of_the_screen(chrome: Chrome, pages: dict[str, Path]) -> None:
    size = {"width": 1000, "height": 800, "deviceScaleFactor": 2, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.get(pages["pair"].as_uri())
    press(chrome, "1")
    assert shown_width(chrome) == 750


def test_one_picture_has_facts_and_no_divider(opened: Any) -> None:
    page = opened("single")
    assert loaded(page, "right") == [1500, 900]
    assert not page.find_element("id", "divider").is_displayed()
    assert not page.find_element("id", "left-image").is_displayed()
    facts = page.find_element("id", "facts").text
    assert "1500 × 900, 1.4 megapixels" in facts and "5 of 8" in facts and "the clean scene" in facts
    press(page, "2")
    assert shown_width(page) == 3000


@pytest.mark.parametrize("name", ["single", "pair"])
def test_a_phone_needs_no_sideways_scrolling(opened: Any, name: str) -> None:
    page = opened(name, width=360, height=740)
    assert run(page, "return document.documentElement.scrollWidth") <= 360
    press(page, "1")
    assert run(page, "return document.documentElement.scrollWidth") <= 360


def test_a_high_picture_fits_the_window(chrome: Chrome, tmp_path: Path) -> None:
    path = tmp_path / "high.png"
    Image.fromarray(np.zeros((4000, 500, 3), np.uint8)).save(path)
    target = tmp_path / "high.html"
    target.write_bytes(view_page([photo_of(path)]))
    show(chrome, target, height=800)
    assert run(chrome, "return document.getElementById('pair').clientHeight") <= 800


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_colour_scheme(opened: Any, scheme: str) -> None:
    page = opened("pair", scheme=scheme)
    script = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert (sum(run(page, script)) < 3 * 60) == (scheme == "dark")


def test_large_pictures_become_jpeg_and_the_page_says_so(
    chrome: Chrome, pages: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "LOSSLESS_PIXELS", 1000)
    path = tmp_path / "large.png"
    Image.fromarray(np.full((40, 60, 3), 77, np.uint8)).save(path)
    subject = photo_of(path)
    for lossless, kind in ((False, "image/jpeg"), (True, "image/webp")):
        page = tmp_path / f"{lossless}.html"
        page.write_bytes(view_page([subject], lossless=lossless))
        assert f'"type": "{kind}"' in page.read_text("utf-8")
        show(chrome, page)
        assert loaded(chrome, "right") == [60, 40]
        assert ("shown as JPEG" in chrome.find_element("id", "note").text) is not lossless
