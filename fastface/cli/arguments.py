"""Define the options that several commands share: videos, `--targets` and `--out`, with their default folders.

The modules of `cli.commands` import them. The help texts here appear in the help of every such command.
"""

from pathlib import Path
from typing import Annotated

import typer

from fastface.errors import ConfigError

IN_FOLDER = "in_video"
SAMPLES_FOLDER = "samples"
OUT_FOLDER = Path("out")
OUT_FOLDERS = [OUT_FOLDER]
"""Default of commands that search several folders as one."""

_TARGETS_HELP = (
    "Photos of the persons to find. In a folder, each sub-folder and each loose photo is one person. NAME=PATH is one "
    "person, bank.npz holds the persons of enroll, '*' is every face. May be repeated."
)

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="VIDEOS",
        help="Videos and folders. Globs, @list.txt, folders of pictures and img_%04d.jpg work too.",
        show_default=IN_FOLDER,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option("--targets", "-t", metavar="PHOTOS", help=_TARGETS_HELP, show_default=SAMPLES_FOLDER),
]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Output folder.")]
Outs = Annotated[
    list[Path],
    typer.Option(
        "--out",
        "-o",
        metavar="FOLDER",
        help="Output folder. Several are searched as one.",
        show_default=str(OUT_FOLDER),
    ),
]


def holds_anything(folder: Path) -> bool:
    """Return whether a default folder exists and holds more than its README."""
    return folder.is_dir() and any(path.name != "README.md" for path in folder.iterdir())


def or_samples(targets: list[str] | None) -> list[str]:
    """Return the targets; if there are none, the folder of samples.

    Raises:
        ConfigError: No targets were given, and the folder of samples is empty or missing.
    """
    if targets:
        return targets
    if not holds_anything(Path(SAMPLES_FOLDER)):
        raise ConfigError(
            f"no photos to search for: give photos with -t, as -t photos/Alice.jpg, or put them into {SAMPLES_FOLDER}/"
        )
    return [SAMPLES_FOLDER]
