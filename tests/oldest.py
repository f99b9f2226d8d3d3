"""Print the oldest versions that pyproject.toml allows of the base dependencies, as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def oldest() -> list[str]:
    """A line `name==version` for each base dependency; each has a lower bound, which comes first."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    lines = []
    for dependency in project["dependencies"]:
        found = re.match(r"([\w-]+)>=([\d.]+)", dependency)
        if found is None:
            raise SystemExit(f"{dependency}: has no lower bound")
        lines.append("==".join(found.groups()))
    return lines


if __name__ == "__main__":
    print("\n".join(oldest()))
