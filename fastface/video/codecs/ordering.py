"""Detect presentation times that FFmpeg computes wrongly: for AVI, and for MP4 whose `ctts` box was lost.

`video.probe` calls it. The decoder returns frames in display order. If pictures are decoded in another order, such
times step back there. That concerns AVI, and MP4 without composition offsets (ISO 14496-12, 8.6.1.3).
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av.error

from fastface.video.container import demux, open_video

_PACKETS = 48
"""Number of packets of which one has another delay, if the container has presentation times and pictures are reordered.
"""

_FRAMES = 48
"""Number of frames in which pictures are reordered, if the stream reorders them at all."""


def has_wrong_times(path: Path, container: Any, stream: Any) -> bool:
    """Return whether presentation times differ from the decoder's order.

    It decodes only streams that may contain pictures out of order in containers without presentation times. These are
    AVI, and files with one delay between decoding and display for all packets.

    Args:
        path: The file.
        container: The open file; a few packets are read from its position.
        stream: The file's video stream.
    """
    if not stream.codec_context.has_b_frames:
        return False
    is_avi = container.format.name == "avi"
    if not is_avi and not _has_one_delay(container, stream):
        return False
    with open_video(path) as (fresh, fresh_stream):
        times = [(frame.pts, frame.dts) for frame in islice(_frames(fresh, fresh_stream), _FRAMES)]
    known = [(pts, dts) for pts, dts in times if pts is not None and dts is not None]
    if any(after[0] < before[0] for before, after in pairwise(known)):
        return True
    return is_avi and len({pts - dts for pts, dts in known}) > 1


def _has_one_delay(container: Any, stream: Any) -> bool:
    delays: set[int] = set()
    with suppress(av.error.FFmpegError):
        for packet in islice(demux(container, stream), _PACKETS):
            if packet.size and packet.pts is not None and packet.dts is not None:
                delays.add(packet.pts - packet.dts)
            if len(delays) > 1:
                return False
    return True


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    packets = demux(container, stream)
    while True:
        try:
            for packet in packets:
                yield from packet.decode()
        except av.error.FFmpegError:
            continue
        return
