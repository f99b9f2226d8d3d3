"""`jdc view`: a picture in the browser, or two with a slider between them."""

from __future__ import annotations

from pathlib import Path

import typer

from jdcodec.cli import common, options
from jdcodec.cli.common import STANDARD


def view(
    picture: Path = typer.Argument(
        ..., metavar="PICTURE", help="A .jdc file, any photo that jdc reads, or - for standard input."
    ),
    other: Path | None = typer.Argument(
        None, metavar="OTHER", help="A second one, on the other side of a slider.", show_default=False
    ),
    output: str | None = typer.Option(
        None,
        "-o",
        "--output",
        metavar="PAGE",
        help="Write the page to this file, or - for standard output.",
        show_default="none: show it in the browser",
    ),
    open_it: bool | None = typer.Option(
        None, "--open/--no-open", help="Open the browser.", show_default="unless -o is given"
    ),
    force: bool = typer.Option(False, "-f", "--force", help="Overwrite a page that exists."),
    lossless: bool = typer.Option(
        False, "--lossless", help="Show pictures above 8 megapixels without loss, too: large pages."
    ),
    model: options.Models = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
) -> None:
    """Look at a .jdc file in the browser, beside its original if you like.

    jdc view photo.jdc photo.NEF
    """
    paths = [picture] if other is None else [picture, other]
    if [str(path) for path in paths] == [STANDARD, STANDARD]:
        raise typer.BadParameter("standard input holds one picture, not two")
    wants_browser = output is None if open_it is None else open_it
    if output is None and not wants_browser:
        raise typer.BadParameter("--no-open needs a page to write: name it with -o")
    if output == STANDARD and wants_browser:
        raise typer.BadParameter("a page on standard output cannot be opened; name a file with -o")
    from jdcodec.atomic import atomic_output, check_output
    from jdcodec.codec.decoder import DecodeSettings
    from jdcodec.view.browser import check_browser, show, show_file
    from jdcodec.view.page import view_page
    from jdcodec.view.subject import read_subject, subject_of

    if wants_browser:
        check_browser()
    if output not in (None, STANDARD):
        check_output(output, force=force)
    common.keep_freed_memory()
    settings = DecodeSettings(device=device, precision=precision, models=tuple(model or ()))
    subjects = [
        subject_of(common.read_input(STANDARD), common.source_name(STANDARD), settings)
        if str(path) == STANDARD
        else read_subject(path, settings)
        for path in paths
    ]
    page = view_page(subjects, lossless=lossless)
    if output is None:
        show(page, subjects[0].name)
        return
    if output == STANDARD:
        common.write_standard_output(page)
        return
    with atomic_output(output, force=force) as file:
        file.write(page)
    common.say(f"{output}: {len(page):,} bytes")
    if wants_browser:
        show_file(Path(output))
