"""Read a film's packets for a clip: open, seek and demux, with errors converted to `ExportError`.

The other modules of this folder use it. The container is opened as the scan opens it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fastface.errors import ExportError, VideoError
from fastface.types import VideoInfo
from fastface.video import container as video_container


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file for reading packets; yield the container and the stream that a scan reads.

    Raises:
        ExportError: It is no video, or not any more.
    """
    try:
        with video_container.open_video(path) as opened:
            yield opened
    except VideoError as error:
        raise ExportError(f"cannot read {str(path)!r}: {error.reason}") from error
    except (av.error.FFmpegError, OSError) as error:
        raise ExportError(f"cannot read {str(path)!r}: {error}") from error


def seek(container: InputContainer, video: VideoStream, pts: int) -> bool:
    """Seek to a keyframe at or before a time, as far as the container knows; return False if FFmpeg fails.

    It fails if no keyframe before that time is flagged. The file's position is undefined then. A container whose times
    are wrong after a seek is not sought.
    """
    if container.format.name in video_container.SEEKS_WRONGLY:
        return False
    try:
        container.seek(pts, stream=video)
    except av.error.FFmpegError:
        return False
    return True


def seek_before(container: InputContainer, video: VideoStream, info: VideoInfo, time: Fraction) -> bool:
    """Seek to a keyframe before a time in seconds from the first frame; the beginning needs no seek."""
    pts = info.to_pts(time)
    return pts <= info.start_pts or seek(container, video, pts)


def demux(container: InputContainer, *streams: Any) -> Iterator[Any]:
    """Yield the packets of some streams, without the empty ones at their end.

    PyAV 18 raises IndexError at the end of a file if damage resembles packets of another stream.
    """
    try:
        for packet in container.demux(*streams):
            if packet.size:
                yield packet
    except IndexError:
        return
