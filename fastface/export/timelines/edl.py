"""Write an edit decision list (CMX 3600): every span of a video as a cut, one after the other."""

from fastface.export.timelines.edit_list import format_event, format_lists
from fastface.export.timelines.frame_clock import open_clock
from fastface.export.timelines.timeline import Timeline, format_label

_REEL = "AX"
"""Reel of a source that is a file: programs then link the clip by the name of the file."""


def render_edl(timeline: Timeline) -> dict[str, str]:
    """Return `cuts.edl`. Source times are timecode of the video; the record side begins at 01:00:00:00."""
    clock = open_clock(timeline)
    if clock is None:
        return {}
    events, record = [], 0
    for span in timeline.spans:
        frames = clock.count_frames(span)
        source = (clock.source_label(frames.first), clock.source_label(frames.end))
        edited = (clock.record_label(record), clock.record_label(record + frames.length))
        lines = [
            format_event(_REEL, source, edited),
            f"* FROM CLIP NAME: {format_label(timeline.file_name)}",
            f"* COMMENT: {format_label(span.person)}",
        ]
        events.append("\n".join(lines))
        record += frames.length
    return format_lists(timeline, clock, "cuts", events)
