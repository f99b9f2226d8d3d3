"""The report in headless Chromium: curves, table, slider, keyboard, phone, dark, no word outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from jdcodec.bench.command import BenchSettings, bench

from .browser import chromium, complaints, requests, show
from .conftest import make_picture, quantiser, save

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytest.importorskip("matplotlib")
pytest.importorskip("bjontegaard")

LEFT, RIGHT = "\ue012", "\ue014"  # arrow keys, as WebDriver names them
END = "\ue010"


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three codecs on one good and one very noisy pair, with a published curve behind them."""
    folder = tmp_path_factory.mktemp("bench") / "pairs"
    folder.mkdir()
    for number, sigma in enumerate((3, 90)):
        clean = make_picture(number, 170, 240)
        noise = np.random.default_rng(number).normal(0, sigma, clean.shape)
        save(folder / f"scene{number}_clean.png", clean)
        save(folder / f"scene{number}_noisy.png", (clean + noise).clip(0, 255).astype(np.uint8))
    anchors = folder / "anchors.json"
    anchors.write_text(json.dumps([{"codec": "Published", "bpp": [1, 5, 9], "psnr": [14, 20, 24]}]))
    codecs = (quantiser("ours"), quantiser("alpha", waste=4000), quantiser("beta", waste=900))
    settings = BenchSettings(folder=folder, out=folder.parent / "out", anchors=anchors)
    return bench(settings, Console(quiet=True), codecs=codecs).report


@pytest.fixture
def page(chrome: Chrome, report: Path) -> Iterator[Chrome]:
    """The report, freshly opened; afterwards the console has to be empty and nothing asked of the network."""
    requests(chrome), complaints(chrome)
    show(chrome, report)
    yield chrome
    assert complaints(chrome) == []
    assert requests(chrome) == [report.as_uri()]


def run(page: Chrome, script: str, *arguments: Any) -> Any:
    return page.execute_script(script, *arguments)  # type: ignore[no-untyped-call]


def click(page: Chrome, selector: str, text: str = "") -> None:
    """Click the first element of `selector` that contains `text`."""
    found = [e for e in page.find_elements("css selector", selector) if text in e.text]
    run(page, "arguments[0].scrollIntoView({block: 'center'})", found[0])
    found[0].click()


def choose(page: Chrome, select: str, text: str) -> None:
    from selenium.webdriver.support.select import Select

    Select(page.find_element("id", select)).select_by_visible_text(text)


def rows(page: Chrome) -> list[str]:
    """Codecs in the table, from top to bottom."""
    return [e.text for e in page.find_elements("css selector", "#table tbody th")]


def test_the_headline_says_who_needs_fewer_bits(page: Chrome) -> None:
    assert page.title == "jdc bench: pairs"
    assert page.find_element("tag name", "h1").text == "pairs"
    cards = page.find_element("id", "verdict").text
    assert "% fewer bits\nthan Alpha codec" in cards and "than Beta codec" in cards
    assert page.find_element("id", "verdict-heading").text == "At equal PSNR, Ours codec needs"


def test_a_curve_for_each_codec_and_published_ones_that_can_be_switched_off(page: Chrome) -> None:
    drawn = page.find_elements("css selector", "#plot path.curve")
    assert sorted(str(e.get_attribute("data-codec")) for e in drawn) == ["alpha", "beta", "ours"]
    assert len(page.find_elements("css selector", "#plot path.published")) == 1
    click(page, "#anchors")
    assert page.find_elements("css selector", "#plot path.published") == []
    click(page, "#legend button", "beta")
    assert len(page.find_elements("css selector", "#plot path.curve")) == 2
    click(page, "#logarithmic")
    assert len(page.find_elements("css selector", "#plot path.curve")) == 2


def test_hovering_a_point_shows_its_values(page: Chrome) -> None:
    from selenium.webdriver import ActionChains

    plot = page.find_element("id", "plot")
    run(page, "arguments[0].scrollIntoView({block: 'center'})", plot)
    x, y = run(page, "const m = placed.find((one) => one.codec === 'ours'); return [m.x, m.y]")
    box = plot.size
    dx, dy = round(x - box["width"] / 2), round(y - box["height"] / 2)
    ActionChains(page).move_to_element_with_offset(plot, dx, dy).perform()
    tip = page.find_element("id", "tip")
    assert tip.is_displayed()
    assert tip.text.startswith("Ours codec\n") and "bits per pixel" in tip.text and "quality 2" in tip.text


def test_arrow_keys_walk_along_the_curves_and_speak(page: Chrome) -> None:
    plot = page.find_element("id", "plot")
    plot.send_keys(RIGHT)
    plot.send_keys(RIGHT)
    spoken = page.find_element("id", "spoken").get_attribute("textContent") or ""
    assert spoken.startswith("Ours codec, ") and spoken.endswith("quality 3")
    plot.send_keys("\ue015")  # down
    assert (page.find_element("id", "spoken").get_attribute("textContent") or "").startswith("Alpha codec")


def test_the_table_sorts(page: Chrome) -> None:
    assert rows(page) == ["ours", "beta", "alpha"]  # by BD-rate
    click(page, "#table th button", "Codec")
    assert rows(page) == ["alpha", "beta", "ours"]
    click(page, "#table th button", "Codec")
    assert rows(page) == ["ours", "beta", "alpha"]
    heads = page.find_elements("css selector", "#table thead th")
    assert [h.get_attribute("aria-sort") for h in heads[:2]] == ["descending", "none"]


def test_another_reference_group_and_measure_change_the_numbers(page: Chrome) -> None:
    def cell(codec: str) -> str:
        return page.find_element("css selector", f"#table tr[data-codec={codec}] td").text

    assert cell("alpha") == "0 %"
    choose(page, "reference", "ours")
    assert cell("ours") == "0 %" and cell("alpha").startswith("+")
    before = page.find_element("id", "peaks").text
    choose(page, "group", "MS-SSIM ≥ 0.95 (1)")
    assert page.find_element("id", "peaks").text != before
    choose(page, "measure", "MS-SSIM (dB)")
    assert "BD-MS-SSIM" in page.find_element("css selector", "#table thead").text
    assert "At equal MS-SSIM" in page.find_element("id", "verdict-heading").text


def cut(page: Chrome) -> float:
    """Share of the left picture that is visible, 0 to 1."""
    clip = run(page, "return document.getElementById('left-image').style.clipPath")
    sides = clip.removeprefix("inset(").removesuffix(")").split()  # "0px 12px 0px 0px", or "0px" for all
    hidden = float(sides[1 % len(sides)].removesuffix("px"))
    return 1 - hidden / float(run(page, "return document.getElementById('pair').clientWidth"))


def test_the_slider_moves_by_keyboard(page: Chrome) -> None:
    divider = page.find_element("id", "divider")
    assert cut(page) == pytest.approx(0.5, abs=0.01)
    divider.send_keys(*[LEFT] * 10)
    assert cut(page) == pytest.approx(0.4, abs=0.01)
    assert divider.get_attribute("aria-valuenow") == "40"
    divider.send_keys(END)
    assert cut(page) == pytest.approx(1, abs=0.01)


def test_the_slider_moves_by_pointer(page: Chrome) -> None:
    from selenium.webdriver import ActionChains

    divider = page.find_element("id", "divider")
    run(page, "arguments[0].scrollIntoView({block: 'center'})", divider)
    ActionChains(page).click_and_hold(divider).move_by_offset(60, 0).release().perform()
    assert cut(page) == pytest.approx(0.5 + 60 / 240, abs=0.02)


def test_pictures_are_chosen_and_decoded(page: Chrome) -> None:
    options = [e.text for e in page.find_elements("css selector", "#left option")]
    assert options == ["Clean target", "Noisy input", "Ours codec", "Alpha codec", "Beta codec"]
    choose(page, "left", "Noisy input")
    assert "Noisy input" in page.find_element("id", "left-caption").text
    assert "dB to the clean target" in page.find_element("id", "left-caption").text
    choose(page, "picture", "scene1")
    assert "Noisy input" in page.find_element("id", "left-caption").text
    for side in ("left", "right"):
        size = run(
            page,
            f"const i = document.getElementById('{side}-image'); return [i.naturalWidth, i.naturalHeight]",
        )
        assert size == [240, 170]


def test_zoom_shows_each_pixel_and_keeps_the_divider_in_view(page: Chrome) -> None:
    click(page, "#zoom label", "400 %")
    assert run(page, "return document.getElementById('pair').clientWidth") == 960
    run(page, "document.getElementById('stage').scrollLeft = 0")
    choose(page, "picture", "scene0")
    click(page, "#zoom label", "100 %")
    assert run(page, "return document.getElementById('pair').clientWidth") == 240


def test_a_phone_needs_no_sideways_scrolling(chrome: Chrome, report: Path) -> None:
    show(chrome, report, width=360, height=780)
    assert run(chrome, "return document.documentElement.scrollWidth") <= 360
    click(chrome, "#zoom label", "400 %")
    assert run(chrome, "return document.documentElement.scrollWidth") <= 360
    run(chrome, "document.getElementById('stage').scrollLeft = 300")
    assert run(chrome, "return document.getElementById('stage').scrollLeft") == 300


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(chrome: Chrome, report: Path, scheme: str) -> None:
    show(chrome, report, scheme=scheme)
    colours = "const s = getComputedStyle(arguments[0]); return [s.color, s.backgroundColor]"
    body = run(chrome, colours, chrome.find_element("tag name", "body"))
    assert contrast(*body) > 7
    soft = run(chrome, colours, chrome.find_element("id", "about"))[0]
    assert contrast(soft, body[1]) > 4.5
    assert (luminance(body[1]) < 0.1) == (scheme == "dark")


def luminance(colour: str) -> float:
    """Relative luminance of "rgb(r, g, b)", WCAG 2."""
    channels = np.array([float(c) for c in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
