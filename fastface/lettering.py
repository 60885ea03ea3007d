"""Fonts for names in pictures: one that knows every letter of a name, or words that any font can draw.

Pillow's own font knows little beyond ASCII, and draws a box for each letter that it does not know.
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
"""Fonts of Linux distributions, the first that knows a name is taken."""

_UNKNOWN = "\U0010fffe"
"""A code point that no font has a glyph for: what is drawn for it is drawn for all unknown ones."""


_LONGEST = 200
"""Characters of a text that are drawn: no column is wider."""


def lettering(text: str, size: int, instead: str) -> tuple[Font, str]:
    """Return a font and what to draw with it: the text if a font knows its letters and digits, else `instead`.

    Signs that are no letters, as emoji, are left out where the font does not know them.

    Args:
        text: The name.
        size: Of the font, in pixels.
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
    """The wanted fonts that are installed, in order."""
    folders = [Path(folder).expanduser() for folder in _FOLDERS]
    found = {path.name: path for folder in folders if folder.is_dir() for path in folder.rglob("*.[to]t[fc]")}
    return tuple(found[name] for name in _WANTED if name in found)


@lru_cache(maxsize=20_000)
def _is_known(font: Font, sign: str) -> bool:
    """Return whether a font draws a sign as it is written."""
    if sign.isspace():
        return True
    if unicodedata.bidirectional(sign) in ("R", "AL") and not (features.check("raqm") and features.check("fribidi")):
        return False  # its letters would stand unjoined, in the wrong order
    if not sign.isprintable() or not isinstance(font, ImageFont.FreeTypeFont):
        return sign.isascii() and sign.isprintable()
    drawn, unknown = font.getmask(sign), font.getmask(_UNKNOWN)
    return bool(drawn.size[0]) and (drawn.size, bytes(drawn)) != (unknown.size, bytes(unknown))
