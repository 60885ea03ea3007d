"""Find the mount point of a file's file system, to tell a deleted file from a disk that is not mounted."""

import os
from pathlib import Path


def find_disk(path: Path) -> str:
    """Return the mount point of the file system that holds a file; links on the way are followed."""
    folder = os.path.realpath(path.parent)
    while not os.path.ismount(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120 - a mount point may have a name that is no UTF-8
    return folder


def is_deleted(path: Path, disk: str) -> bool:
    """Return whether a file is gone although its file system is mounted.

    Args:
        path: The file.
        disk: The result of `find_disk` when the file was there; empty if unknown.
    """
    return not os.path.lexists(path) and is_mounted(disk)


def is_mounted(disk: str) -> bool:
    """Return whether a file system is mounted at its place; true if the place is unknown."""
    return not disk or os.path.ismount(disk)
