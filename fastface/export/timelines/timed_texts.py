"""Write texts with times, which players show: subtitles (SubRip, WebVTT) and FFmpeg's chapters (`;FFMETADATA1`).

Subtitles have one file a person, with the name on the screen during each span. Chapters have one chapter for each
change of persons. Players show a chapter until the next one starts, so chapters cover the whole video. Times are those
of a player.
"""

from fractions import Fraction
from itertools import pairwise

from fastface.export.timelines.timeline import Timeline, format_label

_SUBRIP_SYNTAX = {"<": "‹", ">": "›", "{": "(", "}": ")"}
"""Players read tags in both brackets, and SubRip has no way to escape them; `-->` is the mark of a time line."""

_WEBVTT_SYNTAX = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
"""Character references of the W3C's WebVTT; with them `-->` cannot stand in a text."""

_METADATA_SYNTAX = {character: f"\\{character}" for character in "=;#\\"}
_NO_PERSON = "–"


def render_srt(timeline: Timeline) -> dict[str, str]:
    """Return `<person>.srt` for each person."""
    return {
        timeline.name_file(person, ".srt"): "\n".join(
            f"{number}\n{start} --> {end}\n{format_label(person, _SUBRIP_SYNTAX)}\n"
            for number, (start, end) in enumerate(_list_times(timeline, person, ","), 1)
        )
        for person in timeline.persons
    }


def render_vtt(timeline: Timeline) -> dict[str, str]:
    """Return `<person>.vtt` for each person."""
    return {
        timeline.name_file(person, ".vtt"): "WEBVTT\n"
        + "".join(
            f"\n{start} --> {end}\n{format_label(person, _WEBVTT_SYNTAX)}\n"
            for start, end in _list_times(timeline, person, ".")
        )
        for person in timeline.persons
    }


def render_chapters(timeline: Timeline) -> dict[str, str]:
    """Return `chapters.ffmeta`. Times are thousandths of a second."""
    spans = [(round(span.player_start * 1000), round(span.player_end * 1000), span.person) for span in timeline.spans]
    last = round((timeline.player_end or 0) * 1000)
    edges = sorted({0, last, *(edge for start, end, _ in spans for edge in (start, end))})
    chapters: list[tuple[int, int, tuple[str, ...]]] = []
    for start, end in pairwise(edges):
        seen = tuple(sorted({person for first, stop, person in spans if first < end and stop > start}))
        if chapters and chapters[-1][2] == seen:
            chapters[-1] = (chapters[-1][0], end, seen)
        else:
            chapters.append((start, end, seen))
    blocks = []
    for start, end, seen in chapters:
        title = ", ".join(format_label(person, _METADATA_SYNTAX) for person in seen) or _NO_PERSON
        # FFmpeg takes a backslash at the end of a line as a sign that the line goes on, even an escaped one.
        end_mark = " " if title.endswith("\\") else ""
        blocks.append(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={title}{end_mark}\n")
    return {"chapters.ffmeta": ";FFMETADATA1\n" + "".join(blocks)}


def _list_times(timeline: Timeline, person: str, point: str) -> list[tuple[str, str]]:
    own = [span for span in timeline.spans if span.person == person]
    return [(_format_time(span.player_start, point), _format_time(span.player_end, point)) for span in own]


def _format_time(seconds: Fraction, point: str) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"
