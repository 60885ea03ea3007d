"""Write Advanced SubStation Alpha (`.ass`): a box around the person's face, and the name above it.

Boxes are drawing commands. Positions are pixels of the displayed frame, which is the size of the script. Players that
use libass (mpv, VLC, FFmpeg) show them. Source: "Sub Station Alpha v4.00+ Script Format". Times are those of a player.
"""

from collections.abc import Iterator

import numpy as np

from fastface.export.timelines.boxes.hit_boxes import BoxTimeline
from fastface.export.timelines.timeline import format_label

_COLOURS = ("50DC64", "FFB02E", "5AAAFF", "FF6EB4", "B48CFF", "F0E65A")
"""Red, green and blue, as in snapshots."""

_SYNTAX = {"{": "(", "}": ")", "\\": "/"}
"""Braces begin and end commands, and a backslash starts one; there is no way to escape them."""

_LINE_SHARE, _TEXT_SHARE = 360, 30
"""A line is a 360th of the frame's height, a text a 30th."""

_HEAD = """[Script Info]
Title: {title}
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 2
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
"""
_EVENTS = """
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def render_ass(video: BoxTimeline) -> Iterator[str]:
    """Yield the text of `boxes.ass`. Each person has two styles: `box1` and `name1` for the first."""
    width, height = video.timeline.size
    line, text = max(1, round(height / _LINE_SHARE)), max(8, round(height / _TEXT_SHARE))
    yield _HEAD.format(title=format_label(video.timeline.video_id, _SYNTAX), width=width, height=height)
    for number, _ in enumerate(video.labels, 1):
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        shown = f"{colour[4:]}{colour[2:4]}{colour[:2]}"  # blue, green, red
        # The area of a box is transparent, so only its border is seen.
        yield _format_style(f"box{number}", text, f"&HFF{shown}", f"&H00{shown}", line)
        yield _format_style(f"name{number}", text, f"&H00{shown}", "&H00000000", line)
    yield _EVENTS
    numbers = {label: number for number, label in enumerate(video.labels, 1)}
    for track in video.tracks:
        number, name = numbers[track.label], format_label(track.label, _SYNTAX)
        starts, ends = (((times + 5) // 10).tolist() for times in (track.starts, track.ends))
        boxes = np.rint(track.boxes).astype(int).tolist()  # some players read drawings of whole pixels alone
        for start, end, (x1, y1, x2, y2) in zip(starts, ends, boxes, strict=True):
            if start == end:  # at over a hundred frames a second, which the format cannot time
                continue
            times = f"{_format_time(start)},{_format_time(end)}"
            right, bottom = x2 - x1, y2 - y1
            drawing = f"m 0 0 l {right} 0 {right} {bottom} 0 {bottom}"
            place = f"\\an7\\pos({x1},{y1})"
            yield f"Dialogue: 0,{times},box{number},,0,0,0,,{{{place}\\p1}}{drawing}{{\\p0}}\n"
            place = f"\\an1\\pos({x1},{max(y1 - line, text)})"
            yield f"Dialogue: 1,{times},name{number},,0,0,0,,{{{place}}}{name}\n"


def _format_style(name: str, size: int, fill: str, border: str, width: int) -> str:
    colours = f"{fill},{fill},{border},&H00000000"
    return f"Style: {name},Arial,{size},{colours},0,0,0,0,100,100,0,0,1,{width},0,7,0,0,0,1\n"


def _format_time(hundredths: int) -> str:
    seconds, rest = divmod(hundredths, 100)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:02}"
