"""Draw a page of the contact sheet. It opens pictures, so only the child process `reader_process` imports this."""

import unicodedata

from PIL import Image, ImageDraw, ImageFont

from fastface.curation.contact_sheet import COLUMNS, Page, Tile
from fastface.files import atomic_path
from fastface.lettering import Font, lettering
from fastface.video.frames.image_file import read_picture

_SIDE, _GAP, _EDGE = 160, 10, 16
_LINE_HEIGHT, _HEADING_HEIGHT, _SMALL = 14, 30, 11
_INK, _FAINT, _PAPER, _GROUND = (20, 20, 20), (110, 110, 110), (255, 255, 255), (235, 235, 235)
_TILE_HEIGHT = _SIDE + 2 * _LINE_HEIGHT + _GAP

_ELLIPSIS = "…"


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
