"""Putting the desktop's files where the desktop looks for them, and taking them away again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from jdcodec.atomic import atomic_output
from jdcodec.errors import JdcError, OutputError

_FILES = Path(__file__).with_name("files")
#: Each file's place below a data directory.
_PLACES = {
    "jdcodec.xml": "mime/packages",
    "jdcodec.thumbnailer": "thumbnailers",
    "jdcodec.desktop": "applications",
}
_MANUAL = "man/man1"
#: What has to stand in quotes in an Exec line, by the desktop entry specification.
_RESERVED = " ><~|&;*?#()"
#: What reads the installed files into a database, and the folder it does that for.
_UPDATES = (("update-mime-database", "mime"), ("update-desktop-database", "applications"))


@dataclass(frozen=True)
class Destination:
    """root: a data directory of the XDG base directory specification, as ~/.local/share."""

    root: Path

    @classmethod
    def user(cls) -> Destination:
        """For this user: $XDG_DATA_HOME, or ~/.local/share."""
        home = os.environ.get("XDG_DATA_HOME", "")
        # The specification has relative paths ignored.
        return cls(Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share")

    @classmethod
    def system(cls) -> Destination:
        """For all users: /usr/local/share."""
        return cls(Path("/usr/local/share"))


def check_desktop() -> None:
    """Raise JdcError on systems whose desktops do not read these files."""
    if sys.platform in ("win32", "darwin"):
        raise JdcError("desktop integration is for Linux and BSD; on this system, jdc view shows files")


def find_program() -> Path:
    """The absolute path of the `jdc` that runs; raises JdcError where there is none to call."""
    beside = Path(sys.executable).with_name("jdc")
    found = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == "jdc" else None
    for candidate in (found, str(beside), shutil.which("jdc")):
        if candidate is not None and os.access(candidate, os.X_OK):
            return Path(candidate).absolute()
    raise JdcError("there is no jdc program to call from the desktop; install the package with pip or pipx")


def install(to: Destination, program: Path, manual: Mapping[str, str]) -> Iterator[str]:
    """Write all files; yields a line on each. manual: names and texts of the manual pages.

    program: what thumbnails and double clicks call. Files of an earlier installation are replaced. Raises
    OutputError.
    """
    for path, text in _contents(to, program, manual).items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{path.parent}: {error.strerror}") from error
        with atomic_output(path, force=True) as file:
            file.write(text.encode())
        path.chmod(0o644)
        yield f"wrote {path}"
    yield from _update(to)
    if Path("/usr") not in program.resolve().parents:
        yield f"note: GNOME Files makes thumbnails in a sandbox that sees /usr alone, and so not {program}"


def uninstall(to: Destination, manual: Mapping[str, str]) -> Iterator[str]:
    """Remove what `install` wrote and nothing else; yields a line on each file. Raises OutputError."""
    removed = False
    for path in _paths(to, manual):
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        removed = True
        yield f"removed {path}"
    if removed:
        yield from _update(to)
    else:
        yield f"nothing of jdcodec is in {to.root}"


def _paths(to: Destination, manual: Mapping[str, str]) -> list[Path]:
    files = [to.root / place / name for name, place in _PLACES.items()]
    return files + [to.root / _MANUAL / name for name in manual]


def _contents(to: Destination, program: Path, manual: Mapping[str, str]) -> dict[Path, str]:
    command = _quoted(program)
    texts = [
        (_FILES / name).read_text("utf-8").replace("@PROGRAM@", str(program)).replace("@COMMAND@", command)
        for name in _PLACES
    ]
    return dict(zip(_paths(to, manual), [*texts, *manual.values()]))


def _quoted(program: Path) -> str:
    """The program as one word of an Exec line; raises JdcError for a path that no such line can hold."""
    path = str(program)
    if not path.isprintable() or any(character in path for character in "\"'`$\\"):
        raise JdcError(f"{path}: desktop files cannot name such a path; install jdcodec elsewhere")
    # % begins what the desktop fills in.
    word = path.replace("%", "%%")
    return f'"{word}"' if any(character in path for character in _RESERVED) else word


def _update(to: Destination) -> Iterator[str]:
    """Bring the desktop's databases up to date, with the programs that are there for it."""
    for name, folder in _UPDATES:
        place = to.root / folder
        program = shutil.which(name)
        if program is None:
            yield f"{name} is not installed; the desktop notices when it next reads its files"
            continue
        done = subprocess.run([program, str(place)], capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            yield f"{name} failed: {lines[-1]}"
        else:
            yield f"ran {name} {place}"
