"""`jdc desktop`: file type, thumbnails and manual pages on Linux and BSD."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jdcodec.cli.common import say

if TYPE_CHECKING:
    from jdcodec.desktop.install import Destination

desktop = typer.Typer(
    name="desktop",
    help="File type, thumbnails, double click and manual pages, on Linux and BSD.",
    no_args_is_help=True,
)

_FOR = typer.Option(
    True,
    "--user/--system",
    help="For you (in $XDG_DATA_HOME or ~/.local/share), or for all users (in /usr/local/share).",
)


@desktop.command()
def install(user: bool = _FOR) -> None:
    """Teach the desktop what a .jdc file is, how to make its thumbnail and how to show it.

    jdc desktop install
    """
    from jdcodec.desktop import install as files

    files.check_desktop()
    for line in files.install(_destination(user), files.find_program(), _pages()):
        say(line)


@desktop.command()
def uninstall(user: bool = _FOR) -> None:
    """Remove what install wrote.

    jdc desktop uninstall
    """
    from jdcodec.desktop import install as files

    files.check_desktop()
    for line in files.uninstall(_destination(user), _pages()):
        say(line)


@desktop.command()
def man(
    folder: Path = typer.Argument(..., metavar="FOLDER", help="Where the pages go; made where missing."),
    force: bool = typer.Option(False, "-f", "--force", help="Overwrite pages that exist."),
) -> None:
    """Write the manual pages, as for a package.

    jdc desktop man build/man
    """
    from jdcodec.atomic import atomic_output
    from jdcodec.errors import OutputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: {error.strerror}") from error
    for name, text in _pages().items():
        with atomic_output(folder / name, force=force) as file:
            file.write(text.encode())
        say(f"wrote {folder / name}")


def _destination(user: bool) -> Destination:
    from jdcodec.desktop.install import Destination

    return Destination.user() if user else Destination.system()


def _pages() -> dict[str, str]:
    from typer.main import get_command

    from jdcodec import __version__
    from jdcodec.cli import app
    from jdcodec.desktop.manual import manual_pages

    return manual_pages(get_command(app), __version__)
