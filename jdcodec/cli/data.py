"""`jdc data`: make training data: index pairs, add noise to photographs, let a denoiser make targets."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from jdcodec.errors import OptionError, TrainingError

data = typer.Typer(
    name="data", help="Prepare pictures for training.", no_args_is_help=True, pretty_exceptions_enable=False
)

_Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of pictures, searched to the end.")]
_Force = Annotated[bool, typer.Option("--force", "-f", help="Replace what is there.")]


@data.command("index")
def index(
    folder: _Folder,
    out: Annotated[
        Path | None,
        typer.Option("--output", "--out", "-o", metavar="FOLDER", help="Folder for the index."),
    ] = None,
    layout: Annotated[
        str, typer.Option(metavar="LAYOUT", help="auto, nind, sidd, renoir, polyu, pairs or denoised.")
    ] = "auto",
    crop: Annotated[
        int, typer.Option(metavar="PIXELS", help="Side of a crop: a multiple of 64 from 192 on.")
    ] = 256,
    per_pair: Annotated[int, typer.Option(min=1, help="At most this many crops of a pair.")] = 60,
    list_pairs: Annotated[bool, typer.Option("--list", help="Only list the pairs that are found.")] = False,
    force: _Force = False,
) -> None:
    """Crop noisy pictures and their clean ones, and write how alike the two are (MS-SSIM).

    jdc data index NIND/ -o nind-index
    """
    from jdcodec.training.pairs import find_pairs

    found, pairs = find_pairs(folder, layout)
    if list_pairs:
        for pair in pairs:
            typer.echo(f"{pair.noisy}  {pair.clean}")
        return
    if out is None:
        raise TrainingError("where should the index go? Name a folder with -o")
    from jdcodec.training.index import PairIndex, write_index

    count = write_index(found, pairs, out, crop=crop, per_pair=per_pair, force=force, report=_print_progress)
    scores = [row.ms_ssim for row in PairIndex.open(out).rows]
    reach = ", ".join(f"{sum(score >= t for score in scores)} from {t:g} on" for t in (0.5, 0.8, 0.95))
    typer.echo(f"{out}: {count} crops of {len(pairs)} pairs ({found}); MS-SSIM: {reach}")
    isos = Counter(pair.iso for pair in pairs if pair.iso)
    if isos:
        typer.echo("pairs by ISO: " + ", ".join(f"{iso}: {number}" for iso, number in sorted(isos.items())))


@data.command("noise")
def noise(
    folder: _Folder,
    out: Annotated[
        Path,
        typer.Option(
            "--output", "--out", "-o", metavar="FOLDER", help="Folder for NAME_noisy and NAME_clean."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL", help="camera, raw-gamma, poisson-gaussian, gaussian, salt-and-pepper or speckle."
        ),
    ] = "camera",
    level: Annotated[
        float | None,
        typer.Option(
            metavar="STRENGTH",
            help="One strength instead of the range that training draws from: camera an ISO number; "
            "raw-gamma 1 to 4; gaussian σ of 255; salt-and-pepper a share; speckle σ; poisson-gaussian a.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the noise.")] = 0,
    force: _Force = False,
) -> None:
    """Write noisy copies of clean photographs, as pairs to look at, to index or to benchmark.

    jdc data noise photos/ -o noisy --model camera --level 6400
    """
    from jdcodec.training.noise import MODELS, noise_at
    from jdcodec.training.prepare import write_noisy

    if level is None and model in MODELS:
        chosen = MODELS[model]()
    else:
        chosen = noise_at(model, 0.0 if level is None else level)
    count = write_noisy(folder, out, chosen, seed=seed, force=force, report=_print_progress)
    typer.echo(f"{out}: {count} pairs")


@data.command("denoise")
def denoise(
    folder: _Folder,
    out: Annotated[
        Path,
        typer.Option(
            "--output", "--out", "-o", metavar="FOLDER", help="Folder for NAME_noisy and NAME_denoised."
        ),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Weights or a checkpoint of jdc train: its denoiser."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(metavar="COMMAND", help='Any other denoiser, as in "denoise {input} {output}" (PNG).'),
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that the command may take a picture.")] = 600,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="Device of the checkpoint's network: cpu, cuda, …")
    ] = "cpu",
    force: _Force = False,
) -> None:
    """Let a blind denoiser make the targets that the recipe jdc-ud trains on.

    jdc data denoise photos/ -o targets --checkpoint runs/stem/checkpoint.safetensors
    """
    from jdcodec.training.denoisers import CommandDenoiser, open_denoiser
    from jdcodec.training.prepare import write_denoised

    if checkpoint is not None and command is None:
        count = write_denoised(
            folder, out, open_denoiser(checkpoint, device), force=force, report=_print_progress
        )
    elif command is not None and checkpoint is None:
        count = write_denoised(
            folder, out, CommandDenoiser(command, timeout), force=force, report=_print_progress
        )
    else:
        raise OptionError("name one denoiser: --checkpoint or --command")
    typer.echo(f"{out}: {count} pairs")


def _print_progress(done: int, total: int) -> None:
    if done % 50 == 0 and done < total:
        typer.echo(f"{done} of {total}", err=True)
