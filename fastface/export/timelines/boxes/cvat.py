"""Write "CVAT for video 1.1": XML with a track of boxes for each track of a person.

Boxes are those of the hits, as keyframes: CVAT draws the frames between them. After the last box of a stretch follows a
box that is `outside`. Source: CVAT, "XML annotation format", version 1.1. Frames count from 0, the first of the video;
boxes are in pixels of the file's frames.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from fastface.export.timelines.boxes.hit_boxes import BoxTimeline, BoxTrack
from fastface.export.timelines.timeline import format_label


def render_cvat(video: BoxTimeline) -> Iterator[str]:
    """Yield the text of `cvat.xml`. A label is a person. The video has a rate."""
    timeline = video.timeline
    rate = timeline.rate
    assert rate is not None
    last = max((int(track.count_frames(rate)[-1]) for track in video.tracks), default=0)
    num_frames = max(ceil((timeline.end or 0) * rate), last + 1)
    yield _format_head(video, num_frames)
    for place, track in enumerate(video.tracks):
        yield f'  <track id="{place}" label={quoteattr(track.label)} source="auto">\n'
        yield from _format_boxes(video, track, rate, num_frames)
        yield "  </track>\n"
    yield "</annotations>\n"


def _format_head(video: BoxTimeline, num_frames: int) -> str:
    width, height = video.timeline.stored_size
    listed = "".join(
        f"        <label>\n          <name>{escape(label)}</name>\n          <type>rectangle</type>\n"
        "          <attributes></attributes>\n        </label>\n"
        for label in video.labels
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n  <meta>\n    <task>\n'
        f"      <name>{escape(format_label(video.timeline.video_id))}</name>\n      <size>{num_frames}</size>\n"
        "      <mode>interpolation</mode>\n      <start_frame>0</start_frame>\n"
        f"      <stop_frame>{num_frames - 1}</stop_frame>\n      <labels>\n{listed}      </labels>\n"
        f"      <original_size>\n        <width>{width}</width>\n        <height>{height}</height>\n"
        f"      </original_size>\n    </task>\n  </meta>\n"
    )


def _format_boxes(video: BoxTimeline, track: BoxTrack, rate: Fraction, num_frames: int) -> Iterator[str]:
    frames, first = np.unique(track.count_frames(rate), return_index=True)
    stored, times = video.list_stored_boxes(track), track.times[first].tolist()
    ends = [int(frame) for frame in frames[1:]] + [num_frames]
    for place, (frame, row) in enumerate(zip(frames.tolist(), first.tolist(), strict=True)):
        box = stored[row]
        yield _format_box(frame, box, is_outside=False)
        is_last = place + 1 == len(times)
        if (is_last or times[place + 1] - times[place] > 2 * video.usual_gap) and frame + 1 < ends[place]:
            yield _format_box(frame + 1, box, is_outside=True)


def _format_box(frame: int, box: list[float], *, is_outside: bool) -> str:
    sides = " ".join(f'{name}="{side:.1f}"' for name, side in zip(("xtl", "ytl", "xbr", "ybr"), box, strict=True))
    outside = int(is_outside)
    return f'    <box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {sides} z_order="0"></box>\n'
