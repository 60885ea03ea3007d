"""Write chapters in FFmpeg's metadata format, `;FFMETADATA1`: a chapter for each change of who is seen.

Players show a chapter until the next one starts. So chapters cover the whole video: those without a person too.
"""

from itertools import pairwise

from fastface.export.timelines.timeline import Timeline, format_label

_SYNTAX = {character: f"\\{character}" for character in "=;#\\"}
_NO_PERSON = "–"


def render_chapters(timeline: Timeline) -> dict[str, str]:
    """Return `chapters.ffmeta`. Times are those of a player, in thousandths of a second."""
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
    blocks = (
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\ntitle={_format_title(seen)}\n"
        for start, end, seen in chapters
    )
    return {"chapters.ffmeta": ";FFMETADATA1\n" + "".join(blocks)}


def _format_title(persons: tuple[str, ...]) -> str:
    title = ", ".join(format_label(person, _SYNTAX) for person in persons) or _NO_PERSON
    # FFmpeg takes a backslash at the end of a line as a sign that the line goes on, even an escaped one.
    return f"{title} " if title.endswith("\\") else title
