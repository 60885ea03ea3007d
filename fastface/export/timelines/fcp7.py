"""Write a sequence in the XML of Final Cut Pro 7 ("xmeml"), which Premiere and Resolve import.

Every span is a clip, one after the other, as in the edit decision list. Source: Apple, "Final Cut Pro XML Interchange
Format", version 4. Frame rates are a whole number, or that number × 1000 / 1001 (`ntsc`).
"""

from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from fastface.export.timelines.frame_clock import FrameClock, open_clock
from fastface.export.timelines.timeline import Timeline, format_label

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n'
_NTSC = Fraction(1000, 1001)


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
    indent(root)
    return {"cuts.xml": f"{_HEAD}{tostring(root, encoding='unicode')}\n"}


def _add(parent: Element, tag: str, value: str | int) -> None:
    SubElement(parent, tag).text = str(value)


def _add_rate(parent: Element, clock: FrameClock) -> None:
    nominal = round(clock.rate)
    is_ntsc = abs(clock.rate - nominal * _NTSC) < abs(clock.rate - nominal)
    rate = SubElement(parent, "rate")
    _add(rate, "timebase", nominal)
    _add(rate, "ntsc", "TRUE" if is_ntsc else "FALSE")


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
