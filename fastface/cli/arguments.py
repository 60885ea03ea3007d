"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["IN_FOLDER", "OUT_FOLDER", "SAMPLES_FOLDER", "Inputs", "Out", "Targets"]

IN_FOLDER = "in_video"
SAMPLES_FOLDER = "samples"
OUT_FOLDER = Path("out")

_TARGETS_HELP = (
    "A photo, a folder (each sub-folder and each loose photo is a person), NAME=PATH (a photo or folder, all of it "
    "that one person), a bank.npz, or '*'; repeatable. Default: samples."
)

Inputs = Annotated[
    list[str] | None,
    typer.Argument(help="Videos, folders, globs, @list.txt, image folders, img_%04d.jpg. Default: in_video."),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--targets", "-t", help=_TARGETS_HELP),
]
Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder.")]
