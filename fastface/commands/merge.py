"""Run `fastface merge`, and let other commands search several output folders as one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastface.config import Config
from fastface.runtime.events.observer import Observer

if TYPE_CHECKING:
    from fastface.fleet.merge import MergeResult


def merge(outs: Sequence[Path], into: Path, observer: Observer, *, link: bool = True) -> "MergeResult":
    """Make one output folder of several, or add them to one that exists.

    Args:
        outs: The folders; they stay unchanged.
        into: The merged folder.
        observer: Receives notes.
        link: False to copy the files of the index, also where the file system has links.

    Raises:
        ConfigError, LockedError, SpaceError, InterruptError, FastfaceError: See `merge_folders`.
    """
    from fastface.fleet.merge import merge_folders  # noqa: PLC0415 - most commands have one folder

    return merge_folders(outs, into, observer, link=link)


def open_joined(config: Config, outs: Sequence[Path], observer: Observer) -> Path:
    """Return the folder to search: the only one, or the view of several, brought up to date.

    Videos that the folders have forgotten are forgotten in the view too, with all that was made of them.

    Args:
        config: The settings; see `forget`.
        outs: The folders.
        observer: Receives notes.

    Raises:
        FastfaceError: See `merge_folders` and `forget`.
    """
    if len(outs) == 1:
        return outs[0]
    from fastface.fleet.views import join, list_lost, locate_view  # noqa: PLC0415

    if lost := list_lost(outs):
        from fastface.commands.removal.forget import forget  # noqa: PLC0415 - it imports the whole census

        forget(config, locate_view(outs), lost, observer, by_id=True)
    result = join(outs, observer)
    observer.note(f"{len(outs)} folders joined: the results lie in {str(result.out)!r}")
    return result.out


def locate_joined(outs: Sequence[Path]) -> Path:
    """Return the place that `open_joined` returns. Writes nothing.

    Raises:
        ConfigError: One is no output folder, or is named twice.
    """
    if len(outs) == 1:
        return outs[0]
    from fastface.fleet.views import locate_view  # noqa: PLC0415

    return locate_view(outs)


def find_joined(outs: Sequence[Path]) -> Path:
    """Return the folder with the last answer and list of persons of one or several folders.

    Raises:
        ConfigError: Several folders are not joined yet.
    """
    if len(outs) == 1:
        return outs[0]
    from fastface.fleet.views import find_view  # noqa: PLC0415

    return find_view(outs)
