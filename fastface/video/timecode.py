"""Timecode (SMPTE ST 12-1): the label of a video's first frame, and those of later frames."""

import re
from fractions import Fraction
from typing import Any

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_DROPPED_PER_MINUTE = {30: 2, 60: 4}
"""Labels that drop-frame timecode skips each minute except every tenth: at 29.97 and 59.94 frames a second."""


def count_timecode(text: str, rate: Fraction) -> int | None:
    """Return the number of frames from 00:00:00:00 to a timecode; None if `text` is no timecode of that rate.

    Args:
        text: `HH:MM:SS:FF`; `;` or `.` before the frames marks drop-frame timecode.
        rate: Frames a second.
    """
    found = _TIMECODE.fullmatch(text.strip())
    nominal = round(rate)
    if found is None or not 1 <= nominal <= 99 or int(found[5]) >= nominal:
        return None
    hours, minutes, seconds, frames = (int(found[number]) for number in (1, 2, 3, 5))
    total_minutes = hours * 60 + minutes
    dropped = _count_dropped(found[4], nominal)
    return (total_minutes * 60 + seconds) * nominal + frames - dropped * (total_minutes - total_minutes // 10)


def advance_timecode(text: str, rate: Fraction, num_frames: int) -> str:
    """Return the timecode `num_frames` frames later; empty if `text` is no timecode of that rate. See `count_timecode`.

    A day has 24 hours: after it, labels begin again.
    """
    count, mark, nominal = count_timecode(text, rate), text.strip()[8:9], round(rate)
    if count is None:
        return ""
    dropped = _count_dropped(mark, nominal)
    count = (count + num_frames) % (24 * 60 * 60 * nominal - dropped * (24 * 60 - 24 * 6))
    if dropped:
        tens, rest = divmod(count, 600 * nominal - 9 * dropped)
        count += dropped * 9 * tens + dropped * max(0, (rest - dropped) // (60 * nominal - dropped))
    seconds, frames = divmod(count, nominal)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{frames:02}"


def _count_dropped(mark: str, nominal: int) -> int:
    return _DROPPED_PER_MINUTE.get(nominal, 0) if mark != ":" else 0


def read_timecode(container: Any, stream: Any) -> str:
    """Return the timecode of the first frame; empty if the file has none.

    It is in the tags of the video stream (MP4, MXF, Matroska) or of the file. Matroska writes their names in capitals.
    """
    tags = (*stream.metadata.items(), *container.metadata.items())
    return next((str(value) for name, value in tags if name.lower() == "timecode" and value), "")
