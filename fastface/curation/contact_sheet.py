"""Lay out and draw the contact sheet.

`commands.curate` lays out the pages. Drawing opens pictures, so only the child process `reader_process` draws.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from fastface.curation.candidates import Candidate
from fastface.files import atomic_path
from fastface.lettering import Font, lettering
from fastface.video.frames.image_file import read_picture

COLUMNS = 8
"""Number of thumbnails in a row."""
_STRIPS = 8
"""Number of rows on a page, which is then about as high as wide."""

_SIDE, _GAP, _EDGE = 160, 10, 16
_LINE_HEIGHT, _HEADING_HEIGHT, _SMALL = 14, 30, 11
_INK, _FAINT, _PAPER, _GROUND = (20, 20, 20), (110, 110, 110), (255, 255, 255), (235, 235, 235)
_TILE_HEIGHT = _SIDE + 2 * _LINE_HEIGHT + _GAP

_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Tile:
    """One thumbnail: the picture's file, and two lines of text below it."""

    picture: Path
    lines: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Strip:
    """One row of a page, at most `COLUMNS` tiles; a non-empty `heading` is drawn above it."""

    heading: str
    tiles: tuple[Tile, ...]


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
    return [
        Page(folder / page_name(number), tuple(strips[first : first + _STRIPS]))
        for number, first in enumerate(range(0, max(1, len(strips)), _STRIPS), 1)
    ]


def page_name(number: int) -> str:
    """Return the file name of a page, numbered from 1."""
    return "contact.png" if number == 1 else f"contact-{number}.png"


def _tile(candidate: Candidate, folder: Path) -> Tile:
    return Tile(folder / candidate.name, (candidate.name, f"{candidate.pose} · score {candidate.score:.2f}"))


def draw_page(page: Page) -> None:
    """Write a page as PNG: completely or not at all, readable by its owner only.

    Raises:
        InputError: A picture cannot be read.
        SpaceError: No space is left.
    """
    heights = [_TILE_HEIGHT + (_HEADING_HEIGHT if strip.heading else 0) for strip in page.strips]
    width = 2 * _EDGE + COLUMNS * (_SIDE + _GAP) - _GAP
    sheet = Image.new("RGB", (width, 2 * _EDGE + max(_HEADING_HEIGHT, sum(heights))), _PAPER)
    draw, top = ImageDraw.Draw(sheet), _EDGE
    if not page.strips:
        draw.text((_EDGE, top), "no picture was kept", fill=_INK, font=_font(18))
    for strip, height in zip(page.strips, heights, strict=True):
        if strip.heading:
            draw.text((_EDGE, top), strip.heading, fill=_INK, font=_font(18))
        below = top + height - _TILE_HEIGHT
        for column, tile in enumerate(strip.tiles):
            _draw_tile(sheet, tile, (_EDGE + column * (_SIDE + _GAP), below))
        top += height
    with atomic_path(page.path, private=True) as part:
        sheet.save(part, "PNG")


def _draw_tile(sheet: Image.Image, tile: Tile, place: tuple[int, int]) -> None:
    left, top = place
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left, top, left + _SIDE - 1, top + _SIDE - 1), fill=_GROUND)
    thumbnail = Image.fromarray(read_picture(tile.picture)[:, :, ::-1].copy())
    thumbnail.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    sheet.paste(thumbnail, (left + (_SIDE - thumbnail.width) // 2, top + (_SIDE - thumbnail.height) // 2))
    for row, (line, ink) in enumerate(zip(tile.lines, (_INK, _FAINT), strict=True)):
        font, shown = lettering(line, _SMALL, _plain(line))
        place = left, top + _SIDE + 1 + row * _LINE_HEIGHT
        draw.text(place, _shorten(draw, shown, font), fill=ink, font=font)


def _plain(text: str) -> str:
    """Reduce a text to letters without accents, which every font can draw."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii") or "picture"


def _shorten(draw: ImageDraw.ImageDraw, text: str, font: Font) -> str:
    """Shorten a text to the width of a tile; its end is kept, because names of one video differ there."""
    kept = text
    while kept and draw.textlength(kept if kept == text else _ELLIPSIS + kept, font=font) > _SIDE:
        kept = kept[1:]
    return kept if kept == text else _ELLIPSIS + kept


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
