"""Further looks at the frames of films: see `faces.looks`."""

from dataclasses import dataclass

__all__ = ["LOOKS_VERSION", "SecondLooks"]

LOOKS_VERSION = 1
"""Increased with every change of what `faces.looks` finds: an index that was made by another version is made again."""


@dataclass(frozen=True, slots=True)
class SecondLooks:
    """Further looks at the frames of films. Pictures get all."""

    close_ups: bool = True  # on half the canvas, where nothing was found
    turned: bool = True  # at the places of doubtful faces, turned
