"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["IN_FOLDER", "OUT_FOLDER", "SAMPLES_FOLDER", "Inputs", "Out", "Targets"]

IN_FOLDER = "in_video"
SAMPLES_FOLDER = "samples"
OUT_FOLDER = Path("out")

Inputs = Annotated[
    list[str] | None,
    typer.Argument(help="Videos, folders, globs, @list.txt, image folders, img_%04d.jpg. Default: in_video."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--targets", "-t", help="A photo, a folder of photos, a bank.npz, or '*'. Default: samples."),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder.")]
