"""Lay out the text that edit decision lists share: CMX 3600, as editing programs exchange it.

`edl` and `markers` use it. The layout of an event is
`001  AX       V     C        source-in source-out record-in record-out`.
"""

from collections.abc import Sequence

from fastface.export.timelines.frame_clock import FrameClock
from fastface.export.timelines.timeline import Timeline, format_label

_MOST_EVENTS = 999
"""The number of an event has three digits; more events go into further files."""

_LONGEST_TITLE = 70


def format_event(reel: str, source: tuple[str, str], record: tuple[str, str]) -> str:
    """Return an event line without its number: a cut of the picture."""
    return f"{reel:<8} V     C        {' '.join((*source, *record))}"


def format_lists(timeline: Timeline, clock: FrameClock, stem: str, events: Sequence[str]) -> dict[str, str]:
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
