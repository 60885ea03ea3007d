"""Lay out the thumbnails of the contact sheet. `contact_sheet_page` draws them, in a child process."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from fastface.curation.candidates import Candidate
from fastface.types import Strip, Tile

COLUMNS = 8
"""Number of thumbnails in a row."""
_STRIPS = 8
"""Number of rows on a page, which is then about as high as wide."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page and its PNG file."""

    path: Path
    strips: tuple[Strip, ...]


def lay_out(kept: Sequence[Candidate], folder: Path) -> list[Page]:
    """Lay out the pages of the kept pictures; one empty page if there are none.

    Args:
        kept: Kept candidates by framing, named in `folder`.
        folder: Folder of pictures and pages.
    """
    strips: list[Strip] = []
    for framing, group in groupby(kept, key=lambda candidate: candidate.framing):
        members = list(group)
        for first in range(0, len(members), COLUMNS):
            row = members[first : first + COLUMNS]
            # Repeat the heading of a class that continues at the top of a page.
            is_top = not len(strips) % _STRIPS
            heading = f"{framing}: {len(members)}" if not first else f"{framing}, continued" if is_top else ""
            strips.append(Strip(heading, tuple(_tile(candidate, folder) for candidate in row)))
    return list(_pages(strips, folder))


def page_name(number: int) -> str:
    """Return the file name of a page, numbered from 1."""
    return "contact.png" if number == 1 else f"contact-{number}.png"


def _pages(strips: Sequence[Strip], folder: Path) -> Iterator[Page]:
    for first in range(0, max(1, len(strips)), _STRIPS):
        yield Page(folder / page_name(first // _STRIPS + 1), tuple(strips[first : first + _STRIPS]))


def _tile(candidate: Candidate, folder: Path) -> Tile:
    return Tile(folder / candidate.name, (candidate.name, f"{candidate.pose} · score {candidate.score:.2f}"))
