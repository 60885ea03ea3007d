"""Where decoding may begin: keyframes, out of a container's index or of its packets, without decoding."""

from pathlib import Path
from typing import Any

import av.error

from fastface.video.container import demux, open_video
from fastface.video.frame import SignOfLife
from fastface.video.parts import is_set_back

__all__ = ["keyframe_stamps"]

_BEYOND = 1 << 56
_INDEXED = ("mov", "matroska", "avi")
"""Containers with an index of their keyframes, of use while their clock goes only forwards. The others are read through
once, a few hundred times faster than they are decoded, and so show whether their clock goes only forwards."""


def keyframe_stamps(path: Path, container: Any, stream: Any, alive: SignOfLife) -> list[int] | None:
    """Where keyframes are, about: an index may hold decoding times. Whoever seeks looks where the seek has landed.

    Args:
        path: The file.
        container: The file, open; its position may be changed.
        stream: Its video stream.
        alive: Called with each packet, where the file must be read through.

    Returns:
        Ascending timestamps in the stream's time base; empty where there is no index; None where the clock is set
        back somewhere, so that times are known only by reading from the beginning.
    """
    if container.format.name.startswith(_INDEXED) and not is_set_back(path, alive):
        return _indexed(container, stream)
    with open_video(path) as (fresh, fresh_stream):
        return _scanned(fresh, fresh_stream, alive)


def _indexed(container: Any, stream: Any) -> list[int]:
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


def _scanned(container: Any, stream: Any, alive: SignOfLife) -> list[int] | None:
    stamps: list[int] = []
    last: int | None = None
    try:
        for packet in demux(container, stream):
            alive()
            if packet.dts is None:
                continue
            if last is not None and packet.dts < last:
                return None
            last = packet.dts
            if packet.is_keyframe and packet.pts is not None:
                stamps.append(packet.pts)
    except av.error.FFmpegError:
        return []
    return sorted(set(stamps))
