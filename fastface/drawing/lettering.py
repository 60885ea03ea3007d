"""Choose fonts for names in pictures: a font with all letters of a name, or a text that any font can draw.

Snapshots and contact sheets call it. Pillow's own font has little beyond ASCII, and draws a box for each missing
letter.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from PIL import ImageFont, features

from fastface.names import valid_text

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
_WANTED = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "FreeSans.ttf",
    "NotoSansCJK-Regular.ttc",
    "DroidSansFallbackFull.ttf",
    "wqy-zenhei.ttc",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "unifont.otf",
    "unifont.ttf",
)
"""Fonts of Linux distributions; the first font that has all letters of a name is used."""

_UNKNOWN = "\U0010fffe"
"""A code point without a glyph in any font: its picture is that of all missing glyphs."""


_LONGEST = 200
"""Maximum number of drawn characters: no column is wider."""


def lettering(text: str, size: int, instead: str) -> tuple[Font, str]:
    """Return a font and its text: `text` if a font has its letters and digits, else `instead`.

    Other signs, such as emoji, are left out if the font does not have them.

    Args:
        text: The name.
        size: Size of the font in pixels.
        instead: ASCII text that names the same person.
    """
    text = valid_text(unicodedata.normalize("NFC", text))[:_LONGEST]
    for font in _fonts(size):
        shown = "".join(sign for sign in text if _is_known(font, sign))
        letters = [sign for sign in text if sign.isalnum()]
        if letters and all(sign in shown for sign in letters):
            return font, " ".join(shown.split())
    return _own_font(size), instead


def _fonts(size: int) -> Iterator[Font]:
    yield _own_font(size)
    for path in _font_files():
        yield _font(path, size)


@cache
def _own_font(size: int) -> Font:
    return ImageFont.load_default(size=size)


@cache
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)


@cache
def _font_files() -> tuple[Path, ...]:
    """List the wanted fonts that are installed, in order."""
    folders = [Path(folder).expanduser() for folder in _FOLDERS]
    found = {path.name: path for folder in folders if folder.is_dir() for path in folder.rglob("*.[to]t[fc]")}
    return tuple(found[name] for name in _WANTED if name in found)


@lru_cache(maxsize=20_000)
def _is_known(font: Font, sign: str) -> bool:
    """Return whether a font has a glyph for a sign."""
    if sign.isspace():
        return True
    if unicodedata.bidirectional(sign) in ("R", "AL") and not (features.check("raqm") and features.check("fribidi")):
        return False  # its letters would be drawn unjoined, in the wrong order
    if not sign.isprintable() or not isinstance(font, ImageFont.FreeTypeFont):
        return sign.isascii() and sign.isprintable()
    drawn, unknown = font.getmask(sign), font.getmask(_UNKNOWN)
    return bool(drawn.size[0]) and (drawn.size, bytes(drawn)) != (unknown.size, bytes(unknown))
