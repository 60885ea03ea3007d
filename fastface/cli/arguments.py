"""Arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from fastface.errors import ConfigError

IN_FOLDER = "in_video"
SAMPLES_FOLDER = "samples"
OUT_FOLDER = Path("out")

_TARGETS_HELP = (
    "The persons to find: a photo, a folder (each sub-folder and each loose photo is one person), NAME=PATH (a photo "
    "or a folder of one person), a bank.npz, or '*' for every face; may be repeated. Default: samples."
)

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="VIDEOS",
        help="Videos, folders, globs, @list.txt, folders of pictures, img_%04d.jpg. Default: in_video.",
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--targets", "-t", metavar="PHOTOS", help=_TARGETS_HELP),
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="The output folder.")]


def holds_anything(folder: Path) -> bool:
    """Return whether a default folder exists and holds more than its README."""
    return folder.is_dir() and any(path.name != "README.md" for path in folder.iterdir())


def or_samples(targets: list[str] | None) -> list[str]:
    """The targets, else the folder of samples.

    Raises:
        ConfigError: None were given, and there are no samples.
    """
    if targets:
        return targets
    if not holds_anything(Path(SAMPLES_FOLDER)):
        raise ConfigError(
            f"no photos to search for: give photos with -t, as -t photos/Alice.jpg, or put them into {SAMPLES_FOLDER}/"
        )
    return [SAMPLES_FOLDER]
