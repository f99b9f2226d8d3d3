"""Options that several commands have, declared once: types to annotate a command's parameters with."""

from __future__ import annotations

from typing import Annotated

import typer

FOLDERS = "Folders"
METADATA = "Metadata"
MACHINE = "Machine"
LIMITS = "Limits"

Force = Annotated[bool, typer.Option("-f", "--force", help="Overwrite files that exist.")]
Json = Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]

Recursive = Annotated[
    bool,
    typer.Option("-r", "--recursive", help="Read folders below folders too.", rich_help_panel=FOLDERS),
]
Update = Annotated[
    bool,
    typer.Option(
        "-u",
        "--update",
        help="Skip files whose output is newer; replace older outputs.",
        rich_help_panel=FOLDERS,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        "-w",
        "--workers",
        min=1,
        max=1024,
        help="Files worked on side by side, each by a process with the memory of one.",
        rich_help_panel=FOLDERS,
    ),
]

Strip = Annotated[
    str | None,
    typer.Option(
        "--strip",
        metavar="KINDS",
        help="Metadata to leave out: exif, gps, xmp, icc (with commas between), or all.",
        rich_help_panel=METADATA,
    ),
]

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="FILE",
        help="Weights file to look in before the shipped ones.",
        rich_help_panel=MACHINE,
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, …", rich_help_panel=MACHINE),
]
Precision = Annotated[
    str,
    typer.Option("--precision", metavar="PRECISION", help="auto, fp32 or bf16.", rich_help_panel=MACHINE),
]

MaxPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        help="Refuse pictures with more pixels.",
        show_default="400 million",
        rich_help_panel=LIMITS,
    ),
]
MaxSide = Annotated[
    int,
    typer.Option(
        "--max-side",
        metavar="N",
        min=1,
        help="Refuse pictures with more pixels a side.",
        rich_help_panel=LIMITS,
    ),
]
