"""Is a file intact? Every checksum in it, without a network; on demand its symbols, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jdcodec.container import Limits, ScanReport, Tile, scan
from jdcodec.container.layout import DEFAULT_LIMITS
from jdcodec.errors import DamagedError
from jdcodec.threads import in_order


@dataclass(frozen=True)
class Verdict:
    """What a check found: how many tiles there are, which of them are lost, and all problems, a line each."""

    tile_count: int
    lost: tuple[int, ...]
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        """One line."""
        return describe_damage(self.tile_count, self.lost, self.problems)


def verify(data: bytes | memoryview, limits: Limits = DEFAULT_LIMITS) -> Verdict:
    """Check all checksums of a file's sections.

    Raises FormatError, DamagedError or LimitError where not even the header is of use.
    """
    report = scan(data, limits)
    return Verdict(report.header.tile_count, _lost_tiles(report), report.problems)


def verify_symbols(
    data: bytes | memoryview, limits: Limits = DEFAULT_LIMITS, models: tuple[str, ...] = ()
) -> Verdict:
    """As `verify`, and decode each tile's symbols against their own checksum; needs the model's tables.

    models: weights to look in before the shipped ones. Raises ModelError where the file's is not at hand.
    """
    from jdcodec.codec.decoder import decode_tile_symbols
    from jdcodec.codec.weights import find_model_by_id

    report = scan(data, limits)
    header = report.header
    weights = find_model_by_id(header.model_id, models)
    lost, problems = list(_lost_tiles(report)), list(report.problems)

    def problem(tile: Tile) -> str | None:
        try:
            decode_tile_symbols(tile, header.tile_rect(tile.index), weights, header.quality_code)
        except DamagedError as error:
            return str(error)
        return None

    tiles = [found.tile for found in report.tiles() if found.tile is not None]
    for tile, found_problem in zip(tiles, in_order(problem, tiles)):
        if found_problem is not None:
            lost.append(tile.index)
            problems.append(found_problem)
    return Verdict(header.tile_count, tuple(sorted(lost)), tuple(problems))


def describe_damage(tile_count: int, lost: Sequence[int], problems: Sequence[str]) -> str:
    """One line on what is damaged; "" where nothing is. lost: numbers of tiles, from 0, rising."""
    if not problems:
        return ""
    tiles = f"{len(lost)} of {tile_count} tiles lost, {ranges(lost)}" if lost else "no tile lost"
    return f"damaged: {tiles}; {problems[0]}"


def _lost_tiles(report: ScanReport) -> tuple[int, ...]:
    return tuple(found.index for found in report.tiles() if found.tile is None)


def ranges(indices: Sequence[int]) -> str:
    """Rising numbers as "0–2, 5"."""
    spans: list[list[int]] = []
    for index in indices:
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ", ".join(f"{first}" if first == last else f"{first}–{last}" for first, last in spans)
