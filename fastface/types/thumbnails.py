"""Define the rows of a grid of thumbnails, which `drawing.thumbnail_grid` draws in a child process.

The process that lays a grid out must load no library that opens pictures, so the types are here.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tile:
    """One thumbnail: what `drawing.thumbnail_grid.draw_grid` opens, and two lines of text below it."""

    picture: Any
    lines: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Strip:
    """One row, at most `GridStyle.columns` tiles; a non-empty `heading` is drawn above it."""

    heading: str
    tiles: tuple[Tile, ...]
