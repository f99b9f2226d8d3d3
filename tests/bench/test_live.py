"""What the terminal shows while a benchmark runs and at its end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from jdcodec.bench.curves import Delta
from jdcodec.bench.live import show_verdict, shown, watch
from jdcodec.bench.results import Point
from jdcodec.bench.runner import Entrant

from .conftest import quantiser
from .test_summary import QUALITIES, point, summary

pytest.importorskip("bjontegaard")

POINTS = [point("p", "a[b]", q, encode_seconds=0.25) for q in QUALITIES]
POINTS[3] = Point("p", "a[b]", 5, "d", "1", "", error="boom")
ENTRANTS = [Entrant(quantiser("a[b]"), "1", QUALITIES)]


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=terminal, width=120, color_system=None), stream


def test_a_terminal_sees_the_table_grow() -> None:
    screen, stream = console(terminal=True)
    assert list(watch(POINTS, ENTRANTS, 1, screen)) == POINTS
    for text in ("1 of 4", "4 of 4", "a[b]", "0.250"):
        assert text in stream.getvalue()


def test_a_file_gets_no_table_while_it_runs() -> None:
    screen, stream = console(terminal=False)
    assert list(watch(POINTS, ENTRANTS, 1, screen)) == POINTS
    assert stream.getvalue().strip() == ""


def test_the_verdict_names_rates_peaks_and_overlap() -> None:
    screen, stream = console(terminal=False)
    points = [point("p", "a", q, bpp=0.05 * q) for q in QUALITIES] + [point("p", "b", q) for q in QUALITIES]
    show_verdict([summary(points, images="p")], points, screen)
    (line,) = [line for line in stream.getvalue().splitlines() if line.split()[:1] == ["b"]]
    assert line.split() == ["b", "−50.0", "%", "+6.73", "dB", "100", "%", "39.00", "dB", "0.500", "0.250"]


def test_differences_for_people() -> None:
    assert shown(Delta(-31.24, 1.0), "%", 1) == "−31.2 %"
    assert shown(Delta(0.4, 1.0), "dB", 2) == "+0.40 dB"
    assert shown(Delta(None, 0.0, "no overlap"), "%", 1) == "no overlap"


def test_long_names_of_checkpoints_are_whole_on_a_narrow_terminal() -> None:
    stream = io.StringIO()
    screen = Console(file=stream, force_terminal=False, width=80, color_system=None)
    names = [f"ref:runs/manypriors-{last}/checkpoint.safetensors" for last in ("low", "high")]
    codecs = ("jdc", *names)
    points = [point("p", name, q) for name in codecs for q in QUALITIES]
    show_verdict([summary(points, "p", codecs)], points, screen)
    first_column = "".join(line[:18].strip() for line in stream.getvalue().splitlines())
    assert all(name in first_column for name in names), stream.getvalue()
