"""Write the MP4 file of a clip: packets of all streams by time, tags and timecode.

`clips`, `copy`, `precise` and `sound` use it. `open_clip` converts FFmpeg's errors to `ExportError`.
"""

import errno
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
from fastface.video.timecode import advance_timecode, read_timecode

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
    """Return the timecode of the frame at `start` seconds from the first one; empty if the film has none."""
    first, rate = read_timecode(source, video), video.average_rate
    return advance_timecode(first, rate, round(start * rate)) if first and rate else ""


def write_packets(clip: OutputContainer, streams: Iterable[Iterable[TimedPacket]]) -> None:
    """Write the packets of all streams in order of their decoding times."""
    for _, _, packet in merge(*streams, key=lambda timed: timed[:2]):
        fail_point("clip.packet")
        clip.mux(packet)
