"""Write a copy of a span with boxes drawn into its frames, for people to view; without sound.

The export process calls it. Each frame keeps its own time.
"""

import errno
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.video.reformatter import ColorRange

from fastface.errors import ExportError, SpaceError
from fastface.export.clips.canvas import find_canvas
from fastface.export.crops.snapshots import draw_boxes
from fastface.export.overlay import BoxTrack, select_boxes
from fastface.files import atomic_path
from fastface.types import Image, Size, VideoInfo
from fastface.video.frames.colour import matrix_by_size
from fastface.video.frames.display_frames import frames_between

_TIME_BASE = Fraction(1, 90_000)
"""Time base of the copy: every frame keeps its time to a hundredth of a millisecond, at variable rates too."""

_OPTIONS = {"preset": "veryfast", "crf": "20"}
_USUAL_RATE = 25


def write_boxed(
    info: VideoInfo,
    start: float,
    end: float,
    tracks: Sequence[BoxTrack],
    destination: Path,
    *,
    alive: Callable[[], object],
) -> None:
    """Write an MP4 (H.264) of the frames in [start, end), each at its time, with the boxes of its moment.

    Args:
        info: The video.
        start: Seconds from its first frame, inclusive.
        end: Seconds from its first frame, exclusive.
        tracks: Boxes to draw.
        destination: The file.
        alive: Called with each packet that is read.

    Raises:
        ExportError: No frame could be made.
        SpaceError: No space is left.
        VideoError: The video cannot be opened, or cannot be read to the end of the stretch.
    """
    canvas = find_canvas(info, start, end, alive) or info.size
    width, height = (side // 2 * 2 for side in canvas)  # 4:2:0 halves both
    if not (width and height):
        raise ExportError(f"frames of {info.size[0]}x{info.size[1]} are too small for H.264")
    count = 0
    with atomic_path(destination, private=True) as part:  # it shows names beside faces
        try:
            with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
                stream = container.add_stream("libx264", rate=info.rate or _USUAL_RATE, options=_OPTIONS)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                codec = stream.codec_context
                codec.time_base = _TIME_BASE
                matrix = matrix_by_size(height)
                codec.colorspace, codec.color_range = matrix, ColorRange.MPEG
                frame_seconds = float(1 / (info.rate or _USUAL_RATE))
                for time, picture in frames_between(info, start, end, alive):
                    drawn = _fit(draw_boxes(picture, select_boxes(tracks, float(time), frame_seconds)), canvas)
                    frame = av.VideoFrame.from_ndarray(drawn[:height, :width], format="bgr24").reformat(
                        format="yuv420p", dst_colorspace=matrix, dst_color_range="MPEG"
                    )
                    frame.pts, frame.time_base = round((float(time) - start) / _TIME_BASE), _TIME_BASE
                    container.mux(stream.encode(frame))
                    count += 1
                container.mux(stream.encode())
        except av.error.FFmpegError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SpaceError(f"no space left to write {str(destination)!r}") from error
            raise ExportError(f"cannot write {str(destination)!r}: {error.strerror or error}") from error
        if not count:
            raise ExportError(f"no frame between {start:.3f} and {end:.3f} s could be decoded")


def _fit(picture: Image, canvas: Size) -> Image:
    """Fit a frame of another size into the canvas, with its aspect and black around it."""
    height, width = picture.shape[:2]
    if (width, height) == canvas:
        return picture
    factor = min(canvas[0] / width, canvas[1] / height)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    left, top = (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2
    fitted = np.zeros((canvas[1], canvas[0], 3), np.uint8)
    fitted[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return fitted
