"""Write the MP4 file of a clip: packets of all streams by time, tags and timecode (SMPTE ST 12-1).

`clips`, `copy`, `precise` and `sound` use it. `open_clip` converts FFmpeg's errors to `ExportError`.
"""

import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer, OutputContainer

from fastface.errors import ExportError, SpaceError
from fastface.failpoints import fail_point
from fastface.names import valid_text

_TIMECODE = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_DROPPED_PER_MINUTE = {30: 2, 60: 4}
"""Labels that drop-frame timecode skips each minute except every tenth: at 29.97 and 59.94 frames a second."""


def advance_timecode(text: str, rate: Fraction, num_frames: int) -> str:
    """Return the timecode `num_frames` frames later; empty if `text` is no timecode of that rate.

    Args:
        text: `HH:MM:SS:FF`; `;` or `.` before the frames marks drop-frame timecode.
        rate: Frames a second.
        num_frames: Number of frames between the two timecodes.
    """
    found = _TIMECODE.fullmatch(text.strip())
    nominal = round(rate)
    if found is None or not 1 <= nominal <= 99 or int(found[5]) >= nominal:
        return ""
    hours, minutes, seconds, frames = (int(found[number]) for number in (1, 2, 3, 5))
    dropped = _DROPPED_PER_MINUTE.get(nominal, 0) if found[4] != ":" else 0
    total_minutes = hours * 60 + minutes
    count = (total_minutes * 60 + seconds) * nominal + frames
    count += num_frames - dropped * (total_minutes - total_minutes // 10)
    count %= 24 * 60 * 60 * nominal - dropped * (24 * 60 - 24 * 6)
    if dropped:
        tens, rest = divmod(count, 600 * nominal - 9 * dropped)
        count += dropped * 9 * tens + dropped * max(0, (rest - dropped) // (60 * nominal - dropped))
    seconds, frames = divmod(count, nominal)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{found[4]}{frames:02}"


TimedPacket = tuple[Fraction, int, Any]
"""(seconds of its decoding time from the clip's first frame, number of its stream in the clip, `av.Packet`)."""

_KEPT_TAGS = frozenset(
    {"title", "artist", "album", "album_artist", "comment", "composer", "copyright", "date", "description", "genre"}
    | {"location", "make", "model", "network", "show", "synopsis", "creation_time"}
)
"""Tags of the film that a clip keeps. The other tags describe the film's own file or its start time."""


@contextmanager
def open_clip(part: Path) -> Iterator[OutputContainer]:
    """Open the file of a clip for writing.

    Raises:
        ExportError: FFmpeg's libraries cannot write it.
        SpaceError: No space is left.
    """
    try:
        options = {"movflags": "+faststart"}
        with av.open(str(part), "w", format="mp4", options=options, metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise SpaceError("no space left to write a clip; free some and run the same command again") from error
        reason = getattr(error, "strerror", None) or str(error)
        raise ExportError(f"cannot write a clip: {reason}") from error


def copy_metadata(source: InputContainer, clip: OutputContainer) -> None:
    """Copy the tags that describe the content of a film."""
    tags = source.metadata.items()
    clip.metadata.update({name: valid_text(value) for name, value in tags if name.lower() in _KEPT_TAGS})


def find_timecode(source: InputContainer, video: Any, start: Fraction) -> str:
    """Return the timecode of the frame at `start` seconds from the first one; empty if the film has none.

    The timecode of the first frame is in the tags of the video stream (MP4, MXF) or of the file.
    """
    first = video.metadata.get("timecode") or source.metadata.get("timecode")
    rate = video.average_rate
    return advance_timecode(first, rate, round(start * rate)) if first and rate else ""


def write_packets(clip: OutputContainer, streams: Iterable[Iterable[TimedPacket]]) -> None:
    """Write the packets of all streams in order of their decoding times."""
    for _, _, packet in merge(*streams, key=lambda timed: timed[:2]):
        fail_point("clip.packet")
        clip.mux(packet)
