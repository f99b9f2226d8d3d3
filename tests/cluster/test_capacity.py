"""The arithmetic of docs/scale.md, by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from jdcodec.cluster import capacity
from jdcodec.cluster.capacity import Load, Pace, Plan, measure, pace
from jdcodec.errors import ClusterError


def _line(worker: str, device: str = "cpu", **figures: float) -> str:
    facts = {"width": 2000, "height": 1000, "input_bytes": 4e6, "bytes": 1e6}
    times = {"fetch_seconds": 0.5, "seconds": 2.0, "write_seconds": 0.25}
    return json.dumps({"state": "done", "worker": worker, "device": device, **facts, **times, **figures})


def test_a_plan() -> None:
    plan = Plan(Load(3.6, 24, 10e6, 1e6), photos=1_000_000, workers=100, busy=0.5, batch=10)
    assert plan.worker_hours == pytest.approx(2000)
    assert plan.hours == pytest.approx(20)
    assert plan.photos_per_second == pytest.approx(1e6 / 72_000)
    assert plan.gigabits_in == pytest.approx(8 * 10e6 * 1e6 / 72_000 / 1e9)
    assert plan.gigabits_out == pytest.approx(8 * 1e6 * 1e6 / 72_000 / 1e9)
    assert plan.requests_per_second == pytest.approx(2e6 / 72_000)
    assert plan.batches_per_second == pytest.approx(1e5 / 72_000)
    assert plan.list_requests == pytest.approx(2000)


def test_figures_of_a_manifest_leave_out_each_workers_first_photo() -> None:
    lines = ['{"state": "started", "outputs": []}', _line("a", seconds=60)]
    lines += [_line("a"), _line("a", seconds=4.0), _line("b"), _line("c", "cuda:1"), _line("c", "cuda:1")]
    lines += [_line("a", fetch_seconds=5.75)]
    found = measure(lines)
    assert found["cpu"] == (3, Load((2.25 + 4.25 + 6) / 3, 2.0, 4e6, 1e6))
    assert found["cuda"] == (1, Load(2.25, 2.0, 4e6, 1e6))


def test_the_pace_of_a_run_begins_when_a_worker_is_warm() -> None:
    lines = ['{"state": "run", "at": 50}', _line("a", at=60), _line("b", at=60), _line("b", at=99)]
    lines += ['{"state": "run", "at": 100}', _line("a", at=104), _line("b", at=108), _line("a", at=110)]
    lines += [_line("b", at=112, width=4000), _line("a", at=114)]
    # a: two photos of 2 megapixels in 10 s, b: one of 4 in 6 s; the run before does not count.
    assert pace(lines) == Pace(2, 8.0, pytest.approx(2 / 10 + 1 / 6), pytest.approx(4 / 10 + 4 / 6))
    assert pace([lines[0], lines[1]]) == Pace(1, 10.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ['{"state": "run", "at": 1}'],
        ['{"state": "run"}', _line("a"), _line("a")],  # of a version that did not write times down
        [_line("a", at=2), _line("a", at=3)],
    ],
)
def test_no_pace(lines: list[str]) -> None:
    assert pace(lines) is None


@pytest.mark.parametrize(
    "line",
    [
        *("nonsense", "[]", '{"state": "run", "at": "noon"}', '{"state": "run", "at": NaN}'),
        *(_line("a", at=float("inf")), _line("a", at=2, width=10**400), '{"state": "done", "at": 1}'),
    ],
)
def test_a_pace_of_other_files_is_refused(line: str) -> None:
    with pytest.raises(ClusterError, match="line 2 is not one of a manifest"):
        pace([_line("a"), line])


def test_the_command_tells_start_and_pace_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "manifest.jsonl"
    lines = ['{"state": "run", "at": 100}', *(_line("a", at=104 + 4 * number) for number in range(3))]
    path.write_text("\n".join(lines))
    monkeypatch.setattr("sys.argv", ["capacity", str(path)])
    with pytest.raises(SystemExit) as left:
        capacity.main()
    first = capsys.readouterr().out.splitlines()[0]
    assert left.value.code == 0
    assert first == "workers: 1, all warm after 4 s; from then on 0.25 photos/s, 0.5 MP/s together"


def test_another_size_of_photo() -> None:
    assert Load(2, 4, 100, 10).scaled(12) == Load(6, 12, 300, 30)


@pytest.mark.parametrize("line", ["nonsense", "[]", "3", '{"state": "done"}', _line("a", width="wide")])  # type: ignore[arg-type]
def test_other_files_are_refused(line: str) -> None:
    with pytest.raises(ClusterError, match="line 2 is not one of a manifest"):
        measure([_line("a"), line])


@pytest.mark.parametrize(
    "figures",
    [
        {"width": 0},
        {"height": -5},
        {"seconds": float("nan")},
        {"write_seconds": float("inf")},
        {"fetch_seconds": 0, "seconds": 0, "write_seconds": 0},
        {"bytes": 0},
        {"input_bytes": 10**400},
    ],
    ids=str,
)
def test_figures_that_cannot_be(figures: dict[str, float]) -> None:
    with pytest.raises(ClusterError, match="line 1 is not one of a manifest"):
        measure([_line("a", **figures)])


@pytest.mark.parametrize("megapixels", [0, -1, float("nan"), float("inf")])
def test_no_size_of_photo(megapixels: float) -> None:
    with pytest.raises(ClusterError, match="none to reckon with"):
        Load(2, 4, 100, 10).scaled(megapixels)


@pytest.mark.parametrize("option", ["--megapixels", "--seconds", "--megabytes-in"])
def test_options_that_are_no_figures(option: str) -> None:
    app = typer.Typer()
    app.command()(capacity._report)
    done = CliRunner().invoke(app, ["--seconds", "5", option, "inf"])
    assert done.exit_code == 2 and "inf is no figure" in done.output


@pytest.mark.parametrize("content", [None, b"nonsense\n", b"", b"\xff\xfe\0"])
def test_the_command_refuses_in_one_line(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "manifest.jsonl"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr("sys.argv", ["capacity", str(path)])
    with pytest.raises(SystemExit) as left:
        capacity.main()
    said = capsys.readouterr().err
    assert left.value.code == 1 and said.startswith(f"jdc: {path}: ") and said.count("\n") == 1


@pytest.mark.parametrize(
    "options", [["--seconds", "5"], ["--seconds", "0.5", "--workers", "1,8,32,128"]], ids=["cpu", "gpu"]
)
def test_the_tables_of_the_documentation(options: list[str]) -> None:
    """docs/scale.md shows what this prints."""
    app = typer.Typer()
    app.command()(capacity._report)
    printed = CliRunner().invoke(app, options).output.strip()
    assert printed.count("\n") >= 7
    assert printed in (Path(__file__).parents[2] / "docs" / "scale.md").read_text("utf-8")
