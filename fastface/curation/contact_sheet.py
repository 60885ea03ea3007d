"""Lay out the thumbnails of the contact sheet. `contact_sheet_page` draws them, in a child process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from fastface.curation.candidates import Candidate

COLUMNS = 8
"""Thumbnails side by side."""
_STRIPS = 8
"""Rows of a page: it is about as high as it is wide."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One thumbnail: the picture's file, and two lines below it."""

    picture: Path
    lines: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of a page, at most `COLUMNS` tiles; `heading` stands above it unless it is empty."""

    heading: str
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page, and the PNG file that it becomes."""

    path: Path
    strips: tuple[Strip, ...]


def lay_out(kept: Sequence[Candidate], folder: Path) -> list[Page]:
    """The pages of the kept pictures; one empty page if there are none.

    Args:
        kept: By framing, with names in `folder`.
        folder: Where pictures and pages lie.
    """
    strips: list[Strip] = []
    for framing, group in groupby(kept, key=lambda candidate: candidate.framing):
        members = list(group)
        for first in range(0, len(members), COLUMNS):
            row = members[first : first + COLUMNS]
            # A class that goes on at the top of a page is named there once more.
            is_top = not len(strips) % _STRIPS
            heading = f"{framing}: {len(members)}" if not first else f"{framing}, continued" if is_top else ""
            strips.append(Strip(heading, tuple(_tile(candidate, folder) for candidate in row)))
    return list(_pages(strips, folder))


def page_name(number: int) -> str:
    """The file name of a page, counted from 1."""
    return "contact.png" if number == 1 else f"contact-{number}.png"


def _pages(strips: Sequence[Strip], folder: Path) -> Iterator[Page]:
    for first in range(0, max(1, len(strips)), _STRIPS):
        yield Page(folder / page_name(first // _STRIPS + 1), tuple(strips[first : first + _STRIPS]))


def _tile(candidate: Candidate, folder: Path) -> Tile:
    return Tile(folder / candidate.name, (candidate.name, f"{candidate.pose} · score {candidate.score:.2f}"))
