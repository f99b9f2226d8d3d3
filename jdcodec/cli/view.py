"""`jdc view`: a picture in the browser, or two with a slider between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jdcodec.allocator import keep_freed_memory
from jdcodec.cli import common, options
from jdcodec.cli.jobs import refuse_own_input
from jdcodec.cli.streams import (
    STANDARD,
    named,
    opened,
    output_name,
    source_name,
    write_standard_output,
)
from jdcodec.container.layout import MAX_PIXELS, MAX_SIDE, Limits

if TYPE_CHECKING:
    from jdcodec.codec.decoder import DecodeSettings
    from jdcodec.view.subject import Subject


def view(
    picture: str = typer.Argument(
        ..., metavar="PICTURE", help="A .jdc file, any photo that jdc reads, or - for standard input."
    ),
    other: str | None = typer.Argument(
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
    max_pixels: options.MaxPixels = MAX_PIXELS,
    max_side: options.MaxSide = MAX_SIDE,
) -> None:
    """Look at a .jdc file in the browser, beside its original if you like.

    jdc view photo.jdc photo.NEF
    """
    sources = [picture] if other is None else [picture, other]
    if sources == [STANDARD, STANDARD]:
        raise typer.BadParameter("standard input holds one picture, not two")
    output = output_name(output)
    wants_browser = output is None if open_it is None else open_it
    if output is None and not wants_browser:
        raise typer.BadParameter("--no-open needs a page to write: name it with -o")
    if output == STANDARD and wants_browser:
        raise typer.BadParameter("a page on standard output cannot be opened; name a file with -o")
    from jdcodec.atomic import atomic_output, check_output
    from jdcodec.codec.decoder import DecodeSettings
    from jdcodec.view.browser import check_browser, show, show_file
    from jdcodec.view.page import view_page

    if wants_browser:
        check_browser()
    if output not in (None, STANDARD):
        for source in sources:
            refuse_own_input(source, output)
        check_output(output, force=force)
    keep_freed_memory()
    settings = DecodeSettings(
        device=device,
        precision=precision,
        models=tuple(model or ()),
        limits=Limits(max_side, max_pixels),
    )
    subjects = [_subject(source, settings) for source in sources]
    page = view_page(subjects, lossless=lossless)
    if output is None:
        show(page, subjects[0].name)
        return
    if output == STANDARD:
        write_standard_output(page)
        return
    with atomic_output(output, force=force) as file:
        file.write(page)
    common.say(f"{output}: {len(page):,} bytes")
    if wants_browser:
        show_file(Path(output))


def _subject(source: str, settings: DecodeSettings) -> Subject:
    """A picture with its facts; raises JdcError with its name."""
    from jdcodec.view.subject import coded_subject, is_coded, photo_subject

    title = source_name(source) if source == STANDARD else Path(source).name
    with opened(source) as file:
        if not is_coded(file):
            return photo_subject(file, title, settings.limits)
        with named(source_name(source)):
            return coded_subject(file, title, settings)
