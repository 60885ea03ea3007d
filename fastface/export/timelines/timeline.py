"""Define the contract of timeline formats: the spans of one video go in, small files come out.

A format is a function `Render` with a line in `writer.FORMATS`. Each format must pass
`tests/contract/test_timeline_formats.py`. Formats are pure: `writer` reads the spans and writes the files. Formats that
show the boxes of hits have a contract of their own: `boxes.hit_boxes`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count

from fastface.names import clean_text, label_name, valid_text
from fastface.types import Size


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """A stretch with one person. Times are seconds, as spans.json has them: to a thousandth."""

    person: str
    start: Fraction  # from the first frame
    end: Fraction
    player_start: Fraction  # on the clock of a player, which begins with the file's first stream
    player_end: Fraction


@dataclass(frozen=True, slots=True)
class Timeline:
    """The spans of one video, sorted by start, end and person; there is at least one."""

    video_id: str
    file_name: str  # of the video
    address: str  # of the video: a URL, file://…
    rate: Fraction | None  # frames a second
    timecode: str  # of the first frame; empty if the file has none
    end: Fraction | None  # end of the picture, seconds from the first frame
    player_end: Fraction | None  # the same on the clock of a player
    size: Size  # (width, height) as displayed
    stored_size: Size  # the same in pixels of the file, which need not be square: of a frame as FFmpeg saves it
    has_one_size: bool  # whether all frames have that size
    has_sound: bool
    spans: tuple[TimelineSpan, ...]

    @property
    def persons(self) -> tuple[str, ...]:
        """All persons of the video, sorted."""
        return tuple(sorted({span.person for span in self.spans}))

    @property
    def labels(self) -> dict[str, str]:
        """{person: its name on one line}; different persons have different names."""
        return label_persons(self.persons)

    def name_file(self, person: str, suffix: str) -> str:
        """Return the name of a person's own file."""
        return f"{label_name(person, self.persons)}{suffix}"


Render = Callable[[Timeline], Mapping[str, str | bytes]]
"""Return {name of a file: its content} of one format; nothing if the format cannot hold this video.

Texts end each line with LF, CSV with CR LF. A `Render` never splits or joins a name's line: see `format_label`.
"""


def label_persons(persons: Iterable[str]) -> dict[str, str]:
    """Return {person: its name on one line}; different persons have different names."""
    labels: dict[str, str] = {}
    for person in persons:
        label = format_label(person)
        names = chain([label], (f"{label} ({number})" for number in count(2)))
        labels[person] = next(name for name in names if name not in labels.values())
    return labels


def format_label(text: str, replaced: Mapping[str, str] | None = None) -> str:
    """Return a name on one line of visible characters.

    Args:
        text: The name, as the user wrote it.
        replaced: {character that the format would read as syntax: character that stands for it}.
    """
    shown = clean_text(valid_text(text)) or "_"
    return shown.translate(str.maketrans(dict[str, str | int | None](replaced or {})))
