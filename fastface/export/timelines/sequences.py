"""Write sequences for editing programs: every span is a clip, one after the other, as in the edit decision list.

* "xmeml" is the XML of Final Cut Pro 7, which Premiere and Resolve import. Frame rates are a whole number, or that
  number × 1000 / 1001 (`ntsc`). Source: Apple, "Final Cut Pro XML Interchange Format", version 4.
* FCPXML is that of Final Cut Pro X and later. Times are fractions of a second. The whole video is a clip too, with a
  keyword a span: Final Cut Pro makes a collection of each person. Source: Apple, "FCPXML Reference", version 1.9.
* OpenTimelineIO is JSON. Times are frame numbers at a rate; those of a source count from 00:00:00:00. Source: Academy
  Software Foundation, "OpenTimelineIO, Serialized Data Schema".
"""

import json
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fastface.export.timelines.frame_clock import FrameClock, open_clock
from fastface.export.timelines.timeline import Timeline, format_label

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE {}>\n'
_FORMAT, _ASSET = "r1", "r2"
"""Resources of FCPXML."""


def render_fcp7(timeline: Timeline) -> dict[str, str]:
    """Return `cuts.xml`: a sequence that begins at 01:00:00:00."""
    clock = open_clock(timeline)
    if clock is None:
        return {}
    ranges = [clock.count_frames(span) for span in timeline.spans]
    length = clock.count_source(timeline)
    root = Element("xmeml", version="4")
    sequence = SubElement(root, "sequence", id="sequence-1")
    _add(sequence, "name", format_label(timeline.video_id))
    _add(sequence, "duration", sum(frames.length for frames in ranges))
    _add_rate(sequence, clock)
    _add_timecode(sequence, clock, clock.record_start)
    track = SubElement(SubElement(SubElement(sequence, "media"), "video"), "track")
    record = 0
    for number, (span, frames) in enumerate(zip(timeline.spans, ranges, strict=True), 1):
        clip = SubElement(track, "clipitem", id=f"clipitem-{number}")
        _add(clip, "name", format_label(span.person))
        _add(clip, "duration", length)
        _add_rate(clip, clock)
        _add(clip, "start", record)
        _add(clip, "end", record + frames.length)
        _add(clip, "in", frames.first)
        _add(clip, "out", frames.end)
        file = SubElement(clip, "file", id="file-1")
        if number == 1:  # later clips refer to it by its id
            _add_file(file, timeline, clock, length)
        record += frames.length
    return {"cuts.xml": _format(root)}


def render_fcpxml(timeline: Timeline) -> dict[str, str]:
    """Return `cuts.fcpxml`: the video with keywords, and a project that begins at zero."""
    clock = open_clock(timeline)
    if clock is None:
        return {}
    ranges = [clock.count_frames(span) for span in timeline.spans]
    name, mode = format_label(timeline.file_name), "DF" if clock.is_drop_frame else "NDF"
    shared = {"ref": _ASSET, "format": _FORMAT, "tcFormat": mode}
    whole = {"start": _seconds(clock, clock.source_offset), "duration": _seconds(clock, clock.count_source(timeline))}
    root = Element("fcpxml", version="1.9")
    _add_resources(root, timeline, {"frameDuration": _seconds(clock, 1)}, whole)
    event = SubElement(SubElement(root, "library"), "event", name="fastface")
    clip = SubElement(event, "asset-clip", {**shared, "name": name, **whole})
    project = SubElement(event, "project", name=format_label(timeline.video_id))
    length = _seconds(clock, sum(frames.length for frames in ranges))
    sequence = SubElement(project, "sequence", format=_FORMAT, duration=length, tcStart="0s", tcFormat=mode)
    spine = SubElement(sequence, "spine")
    record = 0
    for span, frames in zip(timeline.spans, ranges, strict=True):
        person, start = format_label(span.person), clock.source_offset + frames.first
        times = {"start": _seconds(clock, start), "duration": _seconds(clock, frames.length)}
        SubElement(clip, "keyword", {**times, "value": person})
        SubElement(spine, "asset-clip", {**shared, "name": person, "offset": _seconds(clock, record), **times})
        record += frames.length
    return {"cuts.fcpxml": _format(root)}


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


def _add_resources(root: Element, timeline: Timeline, rate: dict[str, str], whole: dict[str, str]) -> None:
    """Add the video and its format, to which clips refer."""
    resources = SubElement(root, "resources")
    width, height = map(str, timeline.size)
    SubElement(resources, "format", {"id": _FORMAT, **rate, "width": width, "height": height})
    streams = {"hasVideo": "1", "hasAudio": "1"} if timeline.has_sound else {"hasVideo": "1"}
    name = format_label(timeline.file_name)
    asset = SubElement(resources, "asset", {"id": _ASSET, "name": name, **whole, **streams, "format": _FORMAT})
    SubElement(asset, "media-rep", kind="original-media", src=timeline.address)


def _seconds(clock: FrameClock, frames: int) -> str:
    """Return the time of a number of frames as FCPXML has it: `1001/30000s`."""
    return f"{frames * clock.frame_seconds}s"


def _format(root: Element) -> str:
    indent(root)
    return f"{_HEAD.format(root.tag)}{tostring(root, encoding='unicode')}\n"


def _add(parent: Element, tag: str, value: str | int) -> None:
    SubElement(parent, tag).text = str(value)


def _add_rate(parent: Element, clock: FrameClock) -> None:
    rate = SubElement(parent, "rate")
    _add(rate, "timebase", round(clock.rate))
    _add(rate, "ntsc", "TRUE" if clock.is_ntsc else "FALSE")


def _add_timecode(parent: Element, clock: FrameClock, start: str) -> None:
    timecode = SubElement(parent, "timecode")
    _add_rate(timecode, clock)
    _add(timecode, "string", start)
    _add(timecode, "displayformat", "DF" if clock.is_drop_frame else "NDF")


def _add_file(file: Element, timeline: Timeline, clock: FrameClock, length: int) -> None:
    _add(file, "name", format_label(timeline.file_name))
    _add(file, "pathurl", timeline.address)
    _add_rate(file, clock)
    _add(file, "duration", length)
    _add_timecode(file, clock, clock.source_start)
    SubElement(SubElement(file, "media"), "video")


def _range(clock: FrameClock, start: int, length: int) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": _time(clock, start),
        "duration": _time(clock, length),
    }


def _time(clock: FrameClock, frames: int) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(clock.rate), "value": float(frames)}
