"""Write edit decision lists (CMX 3600): the spans of a video as cuts, or as markers for DaVinci Resolve.

The layout of an event is `001  AX       V     C        source-in source-out record-in record-out`.
"""

from collections.abc import Collection, Sequence
from itertools import chain

from fastface.export.timelines.frame_clock import FrameClock, FrameRange, open_clock
from fastface.export.timelines.timeline import Timeline, format_label

_MOST_EVENTS = 999
"""The number of an event has three digits; more events go into further files."""

_LONGEST_TITLE = 70

_FILE_REEL = "AX"
"""Reel of a source that is a file: programs then link the clip by the name of the file."""

_MARKER_REEL = "001"
_COLOURS = (
    *("Blue", "Green", "Yellow", "Red", "Cyan", "Pink", "Purple", "Fuchsia"),
    *("Rose", "Lavender", "Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream"),
)
"""The colours that Resolve has for markers."""

_MARKER_SYNTAX = {"|": "¦"}
"""A bar begins the next field of a marker."""


def render_edl(timeline: Timeline) -> dict[str, str]:
    """Return `cuts.edl`: every span as a cut, one after the other.

    Source times are timecode of the video; the record side begins at 01:00:00:00.
    """
    clock = open_clock(timeline)
    if clock is None:
        return {}
    events, record = [], 0
    for span in timeline.spans:
        frames = clock.count_frames(span)
        source = (clock.source_label(frames.first), clock.source_label(frames.end))
        edited = (clock.record_label(record), clock.record_label(record + frames.length))
        lines = [
            _format_event(_FILE_REEL, source, edited),
            f"* FROM CLIP NAME: {format_label(timeline.file_name)}",
            f"* COMMENT: {format_label(span.person)}",
        ]
        events.append("\n".join(lines))
        record += frames.length
    return _format_lists(timeline, clock, "cuts", events)


def render_markers(timeline: Timeline) -> dict[str, str]:
    """Return `markers.edl`: one marker a span, with the span's duration, in the colour of the person.

    The timeline that gets the markers begins at 01:00:00:00 and holds the whole video. Resolve keeps one a frame.
    """
    clock = open_clock(timeline)
    if clock is None:
        return {}
    colours = {person: _COLOURS[place % len(_COLOURS)] for place, person in enumerate(timeline.persons)}
    taken: set[int] = set()
    markers: list[tuple[int, str]] = []
    for span in timeline.spans:
        frames = clock.count_frames(span)
        first = _find_free_frame(frames, taken)
        taken.add(first)
        times = (clock.record_label(first), clock.record_label(first + 1))
        fields = f" |C:ResolveColor{colours[span.person]} |M:{format_label(span.person, _MARKER_SYNTAX)}"
        event = f"{_format_event(_MARKER_REEL, times, times)}\n{fields} |D:{max(1, frames.end - first)}"
        markers.append((first, event))
    return _format_lists(timeline, clock, "markers", [event for _, event in sorted(markers)])


def _find_free_frame(frames: FrameRange, taken: Collection[int]) -> int:
    """Return the first frame of a span without a marker; if all have one, the nearest before it or after it."""
    before = range(frames.first - 1, -1, -1)
    after = range(frames.end, frames.end + len(taken) + 1)
    return next(frame for frame in chain(range(frames.first, frames.end), before, after) if frame not in taken)


def _format_event(reel: str, source: tuple[str, str], record: tuple[str, str]) -> str:
    """Return an event line without its number: a cut of the picture."""
    return f"{reel:<8} V     C        {' '.join((*source, *record))}"


def _format_lists(timeline: Timeline, clock: FrameClock, stem: str, events: Sequence[str]) -> dict[str, str]:
    """Number events and return {name: text} of the files that hold them: `stem.edl`, `stem-2.edl` and so on.

    Args:
        timeline: The video.
        clock: Its clock.
        stem: Start of the files' names.
        events: For each event, its line without the number, and the lines that belong to it.
    """
    title = format_label(timeline.video_id)[:_LONGEST_TITLE]
    mode = "DROP FRAME" if clock.is_drop_frame else "NON-DROP FRAME"
    files = {}
    for number, start in enumerate(range(0, len(events), _MOST_EVENTS), 1):
        some = events[start : start + _MOST_EVENTS]
        blocks = "\n".join(f"{place:03}  {event}\n" for place, event in enumerate(some, 1))
        name = f"{stem}.edl" if number == 1 else f"{stem}-{number}.edl"
        files[name] = f"TITLE: {title}\nFCM: {mode}\n\n{blocks}"
    return files
