"""Write an OpenTimelineIO timeline: every span as a clip, one after the other, in the project's own JSON.

Source: Academy Software Foundation, "OpenTimelineIO, Serialized Data Schema". Times are frame numbers at a rate; those
of a source count from 00:00:00:00.
"""

import json
from typing import Any

from fastface.export.timelines.frame_clock import FrameClock, open_clock
from fastface.export.timelines.timeline import Timeline, format_label


def render_otio(timeline: Timeline) -> dict[str, str]:
    """Return `cuts.otio`: a timeline that begins at 01:00:00:00. The person is the name of each clip."""
    clock = open_clock(timeline)
    if clock is None:
        return {}
    ranges = [clock.count_frames(span) for span in timeline.spans]
    source = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "name": format_label(timeline.file_name),
        "target_url": timeline.address,
        "available_range": _range(clock, clock.source_offset, clock.count_source(timeline)),
    }
    clips = [
        {
            "OTIO_SCHEMA": "Clip.1",
            "name": format_label(span.person),
            "source_range": _range(clock, clock.source_offset + frames.first, frames.length),
            "media_reference": source,
        }
        for span, frames in zip(timeline.spans, ranges, strict=True)
    ]
    track = {"OTIO_SCHEMA": "Track.1", "name": "V1", "kind": "Video", "children": clips}
    content = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": format_label(timeline.video_id),
        "global_start_time": _time(clock, clock.record_offset),
        "tracks": {"OTIO_SCHEMA": "Stack.1", "name": "tracks", "children": [track]},
    }
    return {"cuts.otio": json.dumps(content, ensure_ascii=False, indent=1) + "\n"}


def _range(clock: FrameClock, start: int, length: int) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(clock, start),
        "duration": _time(clock, length),
    }


def _time(clock: FrameClock, frames: int) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(clock.rate), "value": float(frames)}
