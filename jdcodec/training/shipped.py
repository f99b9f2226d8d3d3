"""The recipes in the package: their names and texts. No torch here, so that they can be listed at once."""

from __future__ import annotations

import tomllib
from importlib import resources
from importlib.resources.abc import Traversable


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package, the one to begin with first."""
    names = [
        entry.name.removesuffix(".toml") for entry in _folder().iterdir() if entry.name.endswith(".toml")
    ]
    return sorted(names, key=lambda name: (name != "jdc", name))


def shipped_text(name: str) -> str:
    """The TOML text of one of `shipped_recipes()`."""
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


def description(name: str) -> str:
    """What one of `shipped_recipes()` says of itself, in a line."""
    return str(tomllib.loads(shipped_text(name)).get("description", ""))


def needs(name: str) -> str:
    """Which data one of `shipped_recipes()` trains on, as options, and the library that it takes besides."""
    recipe = tomllib.loads(shipped_text(name))
    found = ["--pairs"] if recipe.get("source") == "pairs" else []
    if not found or recipe.get("clean_share") != 0:
        found.append("--data")
    if recipe["arch"] not in ("fast", "best"):
        found.append("compressai")
    return ", ".join(found)


def _folder() -> Traversable:
    return resources.files(__package__) / "recipes"
