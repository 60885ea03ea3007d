"""Draw a page of table.png: a row for each person.

`people_sheet` calls it. The main process may open the portraits because fastface encoded them. It must not open users'
pictures, as `curation.contact_sheet` does in a child.
"""

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from fastface.drawing.lettering import Font, lettering
from fastface.export.tables.people_tables import first_and_last
from fastface.names import pluralize, valid_text
from fastface.types.people import Person

_PORTRAITS, _SIDE, _GAP = 6, 88, 6
_EDGE, _HEADING_HEIGHT, _ROW_HEIGHT = 28, 44, 108
_TEXT, _SMALL = 17, 13
_INK, _FAINT, _RULE = (24, 26, 30), (112, 116, 124), (228, 230, 234)
_PAPER, _GROUND = (255, 255, 255), (238, 240, 243)
_ELLIPSIS = "…"
_DRAWN = "…·"
"""Characters that Pillow's own font has besides ASCII."""
_LONGEST = 200
"""Maximum number of characters of a text that are measured: no column is wider."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: `left` and `width` in pixels; numbers are aligned at its right edge."""

    heading: str
    left: int
    width: int
    is_number: bool = False


_STRIP_WIDTH = _PORTRAITS * (_SIDE + _GAP) - _GAP
_NUMBER = _Column("#", _EDGE, 44, is_number=True)
_NAME = _Column("name", 92, 190)
_FACES = _Column("best portraits", 300, _STRIP_WIDTH)
_TIME = _Column("screen time", 880, 104, is_number=True)
_SHARE = _Column("share", 996, 84, is_number=True)
_ENDS = _Column("first - last", 1112, 268)
_TIMES = _Column("appearances", 1392, 112, is_number=True)
_VIDEOS = _Column("videos", 1516, 76, is_number=True)
_COLUMNS = (_NUMBER, _NAME, _FACES, _TIME, _SHARE, _ENDS, _TIMES, _VIDEOS)
_WIDTH = _VIDEOS.left + _VIDEOS.width + _EDGE


def drawn_page(persons: Sequence[Person]) -> Image.Image:
    """Draw the page of some persons; without persons, write a line about that."""
    height = 2 * _EDGE + _HEADING_HEIGHT + max(1, len(persons)) * _ROW_HEIGHT
    sheet = Image.new("RGB", (_WIDTH, height), _PAPER)
    pen = _Pen(sheet)
    for column in _COLUMNS:
        pen.write(column, column.heading, _EDGE + _HEADING_HEIGHT // 2, small=True)
    if not persons:
        pen.write(_NAME, "no person was found", _EDGE + _HEADING_HEIGHT + _ROW_HEIGHT // 2)
    for row, person in enumerate(persons):
        _draw_row(pen, person, _EDGE + _HEADING_HEIGHT + row * _ROW_HEIGHT)
    return sheet


class _Pen:
    """Writer of text into the columns of a sheet."""

    def __init__(self, sheet: Image.Image) -> None:
        self.sheet = sheet
        self._draw = ImageDraw.Draw(sheet)
        self._fonts: dict[bool, Font] = {
            False: ImageFont.load_default(size=_TEXT),
            True: ImageFont.load_default(size=_SMALL),
        }

    def rule(self, top: int) -> None:
        """Draw a line across the sheet."""
        self._draw.line((_EDGE, top, _WIDTH - _EDGE, top), fill=_RULE)

    def write(
        self, column: _Column, text: str, middle: int, *, small: bool = False, tail: str = "", instead: str = ""
    ) -> None:
        """Write one line of text, with its middle at a height.

        Text that is wider than the column is cut at its end. A `tail`, such as the name of a video, is cut at its
        beginning. `instead` replaces a name that no installed font can draw.
        """
        font, line = self._fonts[small], _one_line(text)
        if tail:  # its end is the important part
            font, end = lettering(tail[-_LONGEST:], _SMALL if small else _TEXT, _one_line(tail))
        elif instead:
            font, line = lettering(text, _SMALL if small else _TEXT, instead)
        cuts = (line, end) if tail else ("", line)
        shown = self._fit(*cuts, column.width, font, from_left=bool(tail))
        place, anchor = (column.left + column.width, "rm") if column.is_number else (column.left, "lm")
        self._draw.text((place, middle), shown, fill=_FAINT if small else _INK, font=font, anchor=anchor)

    def _fit(self, fixed: str, text: str, width: int, font: Font, *, from_left: bool) -> str:
        for length in range(min(len(text), _LONGEST), -1, -1):
            kept = text[len(text) - length :] if from_left else text[:length]
            whole = length == len(text)
            shown = fixed + (kept if whole else _ELLIPSIS + kept if from_left else kept.rstrip() + _ELLIPSIS)
            if self._draw.textlength(shown, font=font) <= width:
                break
        return shown


def _draw_row(pen: _Pen, person: Person, top: int) -> None:
    pen.rule(top)
    middle = top + _ROW_HEIGHT // 2
    above, below = middle - 11, middle + 13
    pen.write(_NUMBER, str(person.number), middle)
    pen.write(_NAME, person.name or _title(person), above, instead=_title(person))
    pen.write(_NAME, _find_font(person), below, small=True)
    for place, portrait in enumerate(person.portraits[:_PORTRAITS]):
        corner = (_FACES.left + place * (_SIDE + _GAP), top + (_ROW_HEIGHT - _SIDE) // 2)
        pen.sheet.paste(_thumbnail(portrait.jpeg), corner)
    _draw_time(pen, person, (above, middle, below))
    pen.write(_SHARE, _percent(person.share), middle)
    _draw_ends(pen, person, (above, below))
    pen.write(_TIMES, str(len(person.appearances)), middle)
    pen.write(_VIDEOS, str(person.videos), middle)


def _title(person: Person) -> str:
    return f"person {person.number}"


def _find_font(person: Person) -> str:
    if person.is_faceless:
        return "face not seen"
    return f"{pluralize(person.faces, 'face')}, {pluralize(person.tracks, 'track')}"


def _draw_time(pen: _Pen, person: Person, heights: tuple[int, int, int]) -> None:
    """Write the screen time and, below it, the time with the body alone; without a face, only the latter."""
    above, middle, below = heights
    has_both = person.body_seconds > 0 and not person.is_faceless
    pen.write(_TIME, _clock(person.seconds), above if has_both else middle)
    if has_both:
        pen.write(_TIME, f"{_clock(person.body_seconds)} by body", below, small=True)


def _draw_ends(pen: _Pen, person: Person, heights: tuple[int, int]) -> None:
    """Write the first and last appearance: `0:03 - 4:12` above a common video, or each with its own video."""
    ends = first_and_last(person)
    if ends is None:
        return
    first, last = ends
    if first.video_id == last.video_id:
        pen.write(_ENDS, f"{_clock(first.start)} - {_clock(last.end)}", heights[0])
        pen.write(_ENDS, "", heights[1], small=True, tail=first.video_id)
        return
    for height, time, video_id in zip(heights, (first.start, last.end), (first.video_id, last.video_id), strict=True):
        pen.write(_ENDS, f"{_clock(time)}  ", height, tail=video_id)


def _thumbnail(jpeg: bytes) -> Image.Image:
    """Return the picture as large as fits, on a square."""
    square = Image.new("RGB", (_SIDE, _SIDE), _GROUND)
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as picture:
        scale = _SIDE / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        shown = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    square.paste(shown, ((_SIDE - shown.width) // 2, (_SIDE - shown.height) // 2))
    return square


def _one_line(text: str) -> str:
    """Reduce a text to characters of Pillow's own font on one line: `é` as `e`, `·` for other signs."""
    return "".join(map(_plain, valid_text(unicodedata.normalize("NFC", text))))


def _plain(character: str) -> str:
    kept = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode("ascii")
    return kept if kept and kept.isprintable() else character if character in _DRAWN else "·"


def _percent(share: float) -> str:
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:z.1f} %"


def _clock(seconds: float) -> str:
    """Format seconds as `4:05` or `1:04:05`, to the nearest second; `<0:01` for less than half a second."""
    if 0 < seconds < 0.5:
        return "<0:01"
    minutes, second = divmod(int(seconds + 0.5), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
