"""Draw grids of thumbnails: rows of pictures with two lines of text below each, and headings between them.

Contact sheets are made of it, by `curation` and `export`, each in a child process that may open users' pictures. Equal
pictures and texts give equal pixels.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

from fastface.drawing.lettering import Font, lettering
from fastface.types import Strip

_GAP, _EDGE = 10, 16
_HEADING, _HEADING_HEIGHT = 18, 30
_INK, _FAINT, _PAPER, _GROUND = (20, 20, 20), (110, 110, 110), (255, 255, 255), (235, 235, 235)
_ELLIPSIS = "…"

_Ink = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class GridStyle:
    """Sizes of a grid, in pixels."""

    columns: int  # thumbnails in a row
    cell: tuple[int, int]  # (width, height) that a thumbnail is fitted into
    letters: int  # size of the text below


def draw_grid(
    strips: Sequence[Strip], style: GridStyle, open_picture: Callable[[Any], Image.Image | None], empty: str
) -> Image.Image:
    """Draw a grid.

    Args:
        strips: Rows from top to bottom.
        style: Sizes.
        open_picture: Returns the RGB picture of a tile, or None: then its place stays empty. It is called once a tile.
        empty: Text that is drawn if there is no row.
    """
    line_height = style.letters + 3
    tile_height = style.cell[1] + 2 * line_height + _GAP
    heights = [tile_height + (_HEADING_HEIGHT if strip.heading else 0) for strip in strips]
    width = 2 * _EDGE + style.columns * (style.cell[0] + _GAP) - _GAP
    sheet = Image.new("RGB", (width, 2 * _EDGE + max(_HEADING_HEIGHT, sum(heights))), _PAPER)
    draw, top = ImageDraw.Draw(sheet), _EDGE
    if not strips:
        _write(draw, (_EDGE, top), empty, (_HEADING, _INK), width - 2 * _EDGE)
    for strip, height in zip(strips, heights, strict=True):
        if strip.heading:
            _write(draw, (_EDGE, top), strip.heading, (_HEADING, _INK), width - 2 * _EDGE)
        below = top + height - tile_height
        for column, tile in enumerate(strip.tiles):
            left = _EDGE + column * (style.cell[0] + _GAP)
            _paste(sheet, open_picture(tile.picture), style.cell, (left, below))
            for row, (line, ink) in enumerate(zip(tile.lines, (_INK, _FAINT), strict=True)):
                place = left, below + style.cell[1] + 1 + row * line_height
                _write(draw, place, line, (style.letters, ink), style.cell[0])
        top += height
    return sheet


def _paste(sheet: Image.Image, picture: Image.Image | None, cell: tuple[int, int], corner: tuple[int, int]) -> None:
    left, top = corner
    ImageDraw.Draw(sheet).rectangle((left, top, left + cell[0] - 1, top + cell[1] - 1), fill=_GROUND)
    if picture is None:
        return
    picture.thumbnail(cell, Image.Resampling.LANCZOS)
    sheet.paste(picture, (left + (cell[0] - picture.width) // 2, top + (cell[1] - picture.height) // 2))


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, look: tuple[int, _Ink], width: int) -> None:
    """Write one line; `look` is the size of its letters and their colour."""
    size, ink = look
    font, shown = lettering(text, size, _plain(text))
    draw.text(place, _shorten(draw, shown, font, width), fill=ink, font=font)


def _plain(text: str) -> str:
    """Reduce a text to letters without accents, which every font can draw."""
    kept = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in kept).split()) or "picture"


def _shorten(draw: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    """Shorten a text to a width; its end is kept, because names of one video differ there."""
    kept = text
    while kept and draw.textlength(kept if kept == text else _ELLIPSIS + kept, font=font) > width:
        kept = kept[1:]
    return kept if kept == text else _ELLIPSIS + kept
