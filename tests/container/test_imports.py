"""The container needs the standard library only, so that `jdc info` and `jdc verify` start fast."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import jdcodec.container


def test_only_the_standard_library_is_imported() -> None:
    folder = Path(jdcodec.container.__file__).parent
    own = ("jdcodec.container", "jdcodec.errors")
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [node.module or ""]
            else:
                continue
            for name in names:
                assert name.startswith(own) or name.split(".")[0] in sys.stdlib_module_names, (path, name)
