"""Find the keyframes of a video by its container's index or its packets, without decoding.

`video.probe` calls it once a video; the units of the scan begin at these keyframes.
"""

from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import av.error

from fastface.video.container import demux, open_video
from fastface.video.containers.parts import is_set_back
from fastface.video.frames.frame import SignOfLife

_BEYOND = 1 << 56
_SEEKS = 4
"""Number of seeks into a program stream, to check that its times stay the same."""

_PACKETS_TO_A_KEYFRAME = 1000
_INDEXED = ("mov", "matroska", "avi")
"""Containers with a keyframe index; it is valid unless the clock is set back. Other files are read through once, a few
hundred times faster than decoding. That also shows whether the clock is set back."""


def keyframe_stamps(path: Path, container: Any, stream: Any, alive: SignOfLife) -> list[int] | None:
    """Return approximate times of keyframes: an index may hold decoding times. After a seek, check the position.

    Args:
        path: The file.
        container: The file, open; its position may be changed.
        stream: Its video stream.
        alive: Called with each packet if the file must be read through.

    Returns:
        Ascending timestamps in the stream's time base; empty without an index. None if the clock is set back or a seek
        changes the times. Then the file must be read from the beginning.
    """
    if container.format.name.startswith(_INDEXED) and not is_set_back(path, alive):
        return _read_index(container, stream)
    return _scan_packets(path, alive)


def _read_index(container: Any, stream: Any) -> list[int]:
    if container.format.name.startswith("matroska"):
        # Its index lies at the end of the file and is read at the first seek.
        try:
            container.seek(_BEYOND, stream=stream, backward=True)
        except av.error.FFmpegError:
            return []
    entries = stream.index_entries
    stamps = sorted({entry.timestamp for entry in entries if entry.is_keyframe})
    # Frames may be decoded before the time at which they are shown: the first entry belongs to the first frame.
    delay = max(0, (stream.start_time or 0) - stamps[0]) if stamps else 0
    return [stamp + delay for stamp in stamps]


def _scan_packets(path: Path, alive: SignOfLife) -> list[int] | None:
    stamps: set[int] = set()
    last: int | None = None
    with open_video(path) as (container, stream):
        try:
            for packet in demux(container, stream):
                alive()
                if packet.dts is None:
                    continue
                if last is not None and packet.dts < last:
                    return None
                last = packet.dts
                if packet.is_keyframe and packet.pts is not None:
                    stamps.add(packet.pts)
        except av.error.FFmpegError:
            return []
        found = sorted(stamps)
        is_seekable = container.format.name != "mpeg" or _is_same_after_seeks(container, stream, found)
    return found if is_seekable else None


def _is_same_after_seeks(container: Any, stream: Any, stamps: list[int]) -> bool:
    """Return whether keyframes of a program stream have the same times after a seek as without one.

    The stream stores the times of only a few pictures. After a seek FFmpeg counts the others from the first whole
    picture that it finds. That can be wrong by half a picture (ISO 13818-1, 2.7.5).
    """
    known = set(stamps)
    for stamp in stamps[1 :: max(1, len(stamps) // _SEEKS)]:
        with suppress(av.error.FFmpegError):
            container.seek(stamp, stream=stream)
            packets = islice(demux(container, stream), _PACKETS_TO_A_KEYFRAME)
            first = next((packet for packet in packets if packet.is_keyframe), None)
            if first is not None and first.pts is not None and first.pts not in known:
                return False
    return True
