"""Write markers as DaVinci Resolve imports them: an edit decision list with a colour, a name and a duration each.

The timeline that gets them begins at 01:00:00:00 and holds the whole video. Resolve keeps one marker a frame.
"""

from collections.abc import Collection
from itertools import chain

from fastface.export.timelines.edit_list import format_event, format_lists
from fastface.export.timelines.frame_clock import FrameRange, open_clock
from fastface.export.timelines.timeline import Timeline, format_label

_REEL = "001"
_COLOURS = (
    *("Blue", "Green", "Yellow", "Red", "Cyan", "Pink", "Purple", "Fuchsia"),
    *("Rose", "Lavender", "Sky", "Mint", "Lemon", "Sand", "Cocoa", "Cream"),
)
"""The colours that Resolve has for markers."""

_SYNTAX = {"|": "¦"}
"""A bar begins the next field."""


def render_markers(timeline: Timeline) -> dict[str, str]:
    """Return `markers.edl`: one marker a span, with the span's duration, in the colour of the person."""
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
        fields = f" |C:ResolveColor{colours[span.person]} |M:{format_label(span.person, _SYNTAX)}"
        event = f"{format_event(_REEL, times, times)}\n{fields} |D:{max(1, frames.end - first)}"
        markers.append((first, event))
    return format_lists(timeline, clock, "markers", [event for _, event in sorted(markers)])


def _find_free_frame(frames: FrameRange, taken: Collection[int]) -> int:
    """Return the first frame of a span without a marker; if all have one, the nearest before it or after it."""
    before = range(frames.first - 1, -1, -1)
    after = range(frames.end, frames.end + len(taken) + 1)
    return next(frame for frame in chain(range(frames.first, frames.end), before, after) if frame not in taken)
