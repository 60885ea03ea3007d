"""Whether FFmpeg's presentation times are made up, and wrong: AVI has none, nor has an MP4 whose `ctts` box was lost.

Where pictures are decoded in another order than they are shown, such times step back as frames come out of the decoder,
which puts them into the order of display (AVI; MP4 without composition offsets, ISO 14496-12, 8.6.1.3).
"""

from itertools import islice
from pathlib import Path
from typing import Any

import av.error

from fastface.video.container import demux, open_video

__all__ = ["has_wrong_times"]

_PACKETS = 48
"""Packets of which one has another delay, if a container knows presentation times and pictures change places."""

_FRAMES = 96
"""Frames in which pictures change places, if they do at all in a stream whose header says so."""


def has_wrong_times(path: Path, stream: Any) -> bool:
    """Whether presentation times go backwards, frame by frame, as the decoder gives them.

    Only streams that may hold pictures out of order, and whose packets all have one delay between decoding and display,
    are decoded for it.

    Args:
        path: The file.
        stream: Its video stream, from another opening.
    """
    if not stream.codec_context.has_b_frames:
        return False
    with open_video(path) as (container, fresh):
        delays = set()
        for packet in islice(demux(container, fresh), _PACKETS):
            if packet.size and packet.pts is not None and packet.dts is not None:
                delays.add(packet.pts - packet.dts)
        if len(delays) != 1:
            return False
    with open_video(path) as (container, fresh):
        last: int | None = None
        for frame in islice(_frames(container, fresh), _FRAMES):
            if frame.pts is not None and last is not None and frame.pts < last:
                return True
            last = frame.pts if frame.pts is not None else last
    return False


def _frames(container: Any, stream: Any) -> Any:
    packets = demux(container, stream)
    while True:
        try:
            for packet in packets:
                yield from packet.decode()
        except av.error.FFmpegError:
            continue
        return
